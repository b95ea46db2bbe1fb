"""What a feature store can hold, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from heavylift.registry.catalogues.capabilities import ANY, Pairs, Rule
from heavylift.registry.features.description import History


@dataclass(frozen=True)
class FeatureCapabilities:
    """What a feature store can hold.

    :param platform: its name, as marks and records tell it.
    :param types: what each type becomes there; one that is missing cannot be held at all.
    :param names: what names of views, keys and features may be.
    :param entities: it names what keys identify.
    :param most_keys: identifiers that a view may have; 0 means no limit.
    :param schemes: of the URIs of histories that it reads.
    :param tombstones: its history keeps deletions.
    :param ttl: it can end the serving of old rows.
    :param ttl_joins: the time to live bounds joins with the history, too.
    :param ttl_step: seconds that a time to live is counted in.
    :param key_types: types that a key may have; empty for all that can be held.
    :param most_features: features that a view may have, key and event time included; 0 means no limit.
    :param time_is_feature: the event time is a column under the rules of features.
    :param history: how its histories hold rows; ``created`` is empty where any name will do.
    :param time_forms: of event times that it reads, the preferred one first.
    :param own_places: it chooses itself where below a URI a history lies.
    :param tables: its histories are tables, each named as its view, in the dataset of a URI.
    :param whole_lists: a list that is null becomes an empty one.
    :param serves_history: what it serves, it takes from the history by itself.
    :param unserved: why nothing can be served online; empty where it can.
    :param unwritable: why nothing can be written to this one; empty where it can.
    """

    platform: str
    types: Mapping[str, str] = field(default_factory=dict)
    names: Rule = ANY
    entities: bool = False
    most_keys: int = 0
    schemes: tuple[str, ...] = ()
    tombstones: bool = False
    ttl: bool = True
    ttl_joins: bool = False
    ttl_step: int = 1
    key_types: tuple[str, ...] = ()
    most_features: int = 0
    time_is_feature: bool = False
    history: History = field(default_factory=History)
    time_forms: tuple[str, ...] = ("timestamp",)
    own_places: bool = False
    tables: bool = False
    whole_lists: bool = False
    serves_history: bool = False
    description: Rule = ANY
    feature_descriptions: bool = True
    feature_description: Rule = ANY
    feature_tags: bool = True
    feature_pairs: Pairs = field(default_factory=Pairs)
    owner: bool = True
    unserved: str = ""
    unwritable: str = ""
    pairs: Pairs = field(default_factory=Pairs)

    def form_of(self, source: History, *, ttl: bool) -> History:
        """Return how a history that comes from ``source`` lies here.

        :param ttl: rows grow too old to be served on the source.
        """
        named = source.created or self.history.stamps or self.tables
        form = source.time_form if source.time_form in self.time_forms else self.time_forms[0]
        return replace(
            self.history,
            time_form=form,
            created=(self.history.created or source.created) if named else "",
            sparse=source.sparse and self.serves_history,
            apart=self.serves_history and (bool(source.deleted) or ttl),
        )
