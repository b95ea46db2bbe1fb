"""Which names a pickle may import: known to build data only, known to act, or neither.

What builds data is listed by name or by the way that a library names its classes; whatever is in
neither list is *unknown* and is let through only where a person says so. What acts on the machine is
never let through.
"""

from __future__ import annotations

import re
from enum import StrEnum

from heavylift.models.opcodes import Global


class Standing(StrEnum):
    """What is known of a name."""

    DATA = "data"
    UNKNOWN = "unknown"
    ACTS = "acts"


_BUILTINS_DATA = frozenset(
    {
        "set", "frozenset", "dict", "list", "tuple", "int", "float", "bool", "str", "bytes",
        "bytearray", "complex", "slice", "range", "object", "Ellipsis", "NotImplemented",
    }
)  # fmt: skip
_EXACT = frozenset(
    {
        "collections.OrderedDict", "collections.defaultdict", "collections.deque", "collections.Counter",
        "copyreg._reconstructor", "copy_reg._reconstructor", "_codecs.encode",
        "datetime.datetime", "datetime.date", "datetime.time", "datetime.timedelta", "datetime.timezone",
        "decimal.Decimal", "fractions.Fraction", "uuid.UUID", "pathlib.PurePosixPath", "pathlib.PosixPath",
        "pathlib.Path", "argparse.Namespace", "types.SimpleNamespace", "re._compile",
        "numpy.dtype", "numpy.ndarray", "numpy.matrix",
        "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
        "numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer",
        "numpy.random._pickle.__randomstate_ctor", "numpy.random._pickle.__generator_ctor",
        "numpy.random._pickle.__bit_generator_ctor", "numpy.random._mt19937.MT19937",
        "numpy.random._pcg64.PCG64", "numpy.random._pcg64.PCG64DXSM", "numpy.random._philox.Philox",
        "numpy.random._sfc64.SFC64", "numpy.random.bit_generator.SeedSequence",
        "numpy.random.mtrand.RandomState",
        "numpy.random.bit_generator.__pyx_unpickle_SeedSequence",
        "numpy.random._generator.Generator", "numpy.ma.core._mareconstruct", "numpy.ma.core.MaskedArray",
        "numpy.ma.MaskedArray", "scipy.interpolate._bsplines.BSpline",
        "scipy._lib.array_api_compat.numpy._aliases.asarray",
        "sklearn.cluster._kmeans._kmeans_single_lloyd", "sklearn.cluster._kmeans._kmeans_single_elkan",
        "joblib.numpy_pickle.NumpyArrayWrapper",
        "sklearn.compose._column_transformer.make_column_selector",
        "sklearn._loss.link.Interval", "sklearn.tree._tree.Tree",
        "sklearn.neighbors._kd_tree.newObj", "sklearn.neighbors._ball_tree.newObj",
        "sklearn.metrics._dist_metrics.newObj",
        "pandas._libs.internals._unpickle_block", "pandas.core.internals.managers.BlockManager",
        "pandas.core.internals.managers.SingleBlockManager", "pandas.core.indexes.base._new_Index",
        "pandas.core.indexes.base.Index", "pandas.core.indexes.range.RangeIndex",
        "pandas.core.frame.DataFrame", "pandas.core.series.Series",
        "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked",
        "pandas.core.arrays.categorical.Categorical", "pandas.core.dtypes.dtypes.CategoricalDtype",
        "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3",
        "torch._utils._rebuild_sparse_tensor", "torch.storage.UntypedStorage", "torch.storage.TypedStorage",
        "torch._utils._rebuild_qtensor", "torch.per_tensor_affine", "torch.per_channel_affine",
        "torch._utils._rebuild_parameter", "torch.Size", "torch.serialization._get_layout", "torch.device",
    }
)  # fmt: skip
_NUMPY_SCALARS = re.compile(
    r"numpy\.(?:u?int(?:8|16|32|64)|float(?:16|32|64)|complex(?:64|128)|bool_?|str_|bytes_|object_"
    r"|(?:datetime|timedelta)64|generic|number|(?:un)?signedinteger|integer|inexact|(?:complex)?floating"
    r"|character|flexible|u?longlong|u?intc|longdouble)"
)
# Columns of texts, as pandas keeps them since version 3: bytes, the name of a plain type, and lengths.
# No type that an alias names holds addresses or objects; lengths that are too great let Arrow read memory
# that is not its own, which may end the model's process, and run nothing.
_ARROW = re.compile(
    r"pandas\.arrays\.ArrowStringArray|pandas\.core\.arrays\.string_arrow\.ArrowStringArray"
    r"|pandas\.(?:_libs\.missing\.)?NA|pyarrow\.lib\.(?:_restore_array|type_for_alias|py_buffer)"
)
# Tables of pandas and what they are made of: since its third version under short names.
_PANDAS = re.compile(
    r"pandas\.(?:DataFrame|Series|(?:Range|Multi|Datetime|Timedelta|Period|Interval|Categorical)?Index"
    r"|Categorical|Interval|(?:Categorical|String|Boolean|Period|Interval|DatetimeTZ|U?Int(?:8|16|32|64)"
    r"|Float(?:32|64))Dtype|arrays\.(?:(?:Boolean|Integer|Floating|Datetime|Timedelta|Period|Interval|Numpy"
    r"|NumpyExtension|String)Array))"
    r"|pandas\.core\.indexes\.(?:datetimes\._new_DatetimeIndex|period\._new_PeriodIndex"
    r"|interval\._new_IntervalIndex|(?:datetimes|timedeltas|period|interval|category|multi)\.[A-Z]\w*Index)"
    r"|pandas\._libs\.tslibs\.(?:timestamps\._unpickle_timestamp|timedeltas\._timedelta_unpickle"
    r"|nattype\._nat_unpickle|offsets\.(?:Day|Hour|Minute|Second|Milli|Micro|Nano|MonthEnd|MonthBegin|YearEnd"
    r"|YearBegin|Week|QuarterEnd|QuarterBegin|BusinessDay))"
)
_TORCH = re.compile(
    r"torch\.(?:(?:Float|Double|Half|BFloat16|Int|Long|Short|Char|Byte|Bool|QInt8|QUInt8|QInt32)Storage"
    r"|q?u?int(?:8|16|32|64)|float(?:16|32|64)|bfloat16|bool|complex(?:32|64|128)"
    r"|float8_(?:e4m3fn|e4m3fnuz|e5m2|e5m2fnuz|e8m0fnu)|float4_e2m1fn_x2)"
)
# What TorchScript's own archives name: types of the program in them, and what rebuilds their lists.
_SCRIPT = re.compile(
    r"__torch__(?:\.\w+)+|torch\.jit\._pickle\.(?:build_(?:int|double|bool|tensor)list|build_tensor_from_id"
    r"|restore_type_tag)"
)
# Layers of PyTorch, and functions that they keep as attributes; none does more than compute.
_LAYERS = re.compile(
    r"torch\.nn\.modules\.[a-z_]+\._?[A-Z]\w*|torch\.nn\.parameter\.(?:Parameter|Buffer)"
    r"|torch(?:\.nn\.functional|\._C\._nn|)\.(?:relu6?|gelu|silu|elu|selu|celu|leaky_relu|hardtanh|hardswish"
    r"|mish|tanh|sigmoid|softmax|log_softmax|softplus|logsigmoid)"
)
# A class of these libraries: private modules below the package, then a name that begins like a class.
_CLASSES = re.compile(
    r"(?:sklearn(?:\.[a-z_][a-z0-9_]*)*|scipy\.sparse(?:\._[a-z]+)*|imblearn(?:\.[a-z_]+)*)\._*[A-Z]\w*"
    r"|xgboost\.core\.Booster|xgboost\.sklearn\.XGB\w+|lightgbm\.basic\.(?:Booster|Dataset)"
    r"|lightgbm\.sklearn\._?LGBM\w+|lightgbm\.engine\.CVBooster"
    r"|catboost\.core\.(?:CatBoost\w*|_CatBoostBase)|_catboost\._CatBoost"
)
_SPARSE = re.compile(r"scipy\.sparse(?:\._[a-z]+)*\.(?:csr|csc|coo|bsr|dia|dok|lil)_(?:matrix|array)")
# Parts of these libraries that run text, read files or start processes.
_NOT_THESE = re.compile(
    r"sklearn\.(?:utils\._test\w*|externals|datasets|conftest|_build_utils|tests|callback|utils\._joblib)\b"
    r"|imblearn\.(?:datasets|keras|tensorflow)\b|.*\.tests?\."
    # What modules of these libraries have imported from elsewhere, and what is no class.
    r"|.*\.(?:\w*Executor|Thread\w*|Process\w*|Popen|\w*Pool|Client|Listener|\w*Connection|\w*Server"
    r"|\w*TemporaryFile|TemporaryDirectory|\w*Path|\w*IO|\w*MethodType|\w*FunctionType|CodeType|Memory|Parallel"
    r"|\w*Manager|\w*Queue|\w*Enum|UserDict|ABCMeta|ABC|partial|np|warnings|xpx|_*LIB|SkipTest|Parameter"
    r"|Progress|\w*Controller)\Z"
)
# Imports whatever it is told to, and takes an attribute of it.
_IMPORTERS = re.compile(r"numpy(?:\._core|\.core)(?:\.\w+)*\._ufunc_reconstruct")
# Functions of scikit-learn and numpy that models keep as attributes; none does more than compute.
_FUNCTIONS = re.compile(
    r"numpy\.(?:log1p?|exp(?:m1)?|sqrt|abs(?:olute)?|sign|square|log(?:2|10)|mean|median|nan(?:mean|median))"
    r"|sklearn\.feature_selection\._univariate_selection\.(?:f_classif|f_regression|chi2)"
    r"|sklearn\.feature_selection\._mutual_info\.mutual_info_(?:classif|regression)"
    r"|sklearn\.metrics\.pairwise\.\w+_kernel"
    r"|sklearn\.metrics\._(?:classification|regression|ranking)\.[a-z]\w*"
    r"|sklearn(?:\.[a-z_]\w*)*\.__pyx_unpickle_\w+"
    r"|scipy\.special(?:\._ufuncs)?\.(?:expit|logit|erf|gammaln|xlogy|boxcox1?p?|inv_boxcox1?p?)"
)

_ACTS_MODULES = re.compile(
    r"(?:os|posix|nt|posixpath|ntpath|subprocess|sys|runpy|code|codeop|importlib|imp|pty|platform|shutil|socket"
    r"|ssl|http|urllib|urllib2|requests|httpx|aiohttp|httplib|ftplib|smtplib|telnetlib|webbrowser|ctypes"
    r"|multiprocessing|threading|concurrent|asyncio|pickle|_pickle|cPickle|dill|cloudpickle|marshal|shelve|pdb"
    r"|bdb|cProfile|profile|timeit|trace|doctest|unittest|pip|setuptools|distutils|venv|ensurepip|site|signal"
    r"|resource|tempfile|glob|fileinput|io|_io|builtins|__builtin__|nose|numpy\.testing|numpy\.f2py|pandas\.io"
    r"|torch\.hub|torch\.utils|torch\.jit|torch\.serialization|torch\._dynamo|torch\._inductor|joblib\.parallel"
    r"|types|inspect|gc|weakref|atexit|commands|lib2to3|idlelib|pydoc|linecache|operator|functools"
    r"|logging|configparser|sqlite3|ast|test|_posixsubprocess|tkinter|zipimport|pkgutil|mlflow)(?:\.|$)"
)


_BY_VALUE = re.compile(
    r"cloudpickle\.cloudpickle(?:_fast)?\.(?:_builtin_type|_make_(?:function|cell|empty_cell|skel_func"
    r"|skeleton_class|skeleton_enum|typevar|dict_keys|dict_values|dict_items)|_(?:function|class)_setstate"
    r"|_fill_function|_rehydrate_skeleton_class|_gen_\w+|subimport|_get_bases|_cell_set)"
)
_BESIDE_THOSE = re.compile(
    r"(?:builtins|__builtin__)\.(?:type|property|staticmethod|classmethod|super)"
    r"|mlflow\.pyfunc\.model\.(?:PythonModel|ChatModel|ChatAgent|ResponsesAgent|_FunctionPythonModel)"
    r"|mlflow\.types\.\w+\.\w+|mlflow\.models\.signature\._TypeHints|functools\.partial"
)


def are_functions_by_value(names: list[Global]) -> bool:
    """Tell whether names that act are those by which cloudpickle keeps functions and classes as bytecode."""
    kept = [bool(_BY_VALUE.fullmatch(str(name))) for name in names]
    return any(kept) and all(
        own or _BESIDE_THOSE.fullmatch(str(name)) for own, name in zip(kept, names, strict=True)
    )


def standing_of(name: Global, trusted: frozenset[str] = frozenset()) -> Standing:
    """Return what is known of ``name``.

    :param trusted: full names that a person vouches for; what acts is not to be had so.
    """
    full = str(name)
    # A name with a dot in it walks through attributes of what it names: numpy's "os", say.
    if "." in name.name or "?" in full:
        return Standing.ACTS
    if name.module in {"builtins", "__builtin__"} and name.name in _BUILTINS_DATA:
        return Standing.DATA
    if full in _EXACT or _is_data(full):
        return Standing.DATA
    if _ACTS_MODULES.match(name.module) or _IMPORTERS.fullmatch(full):
        return Standing.ACTS
    return Standing.DATA if full in trusted else Standing.UNKNOWN


def _is_data(full: str) -> bool:
    if _NOT_THESE.match(full):
        return False
    patterns = (_NUMPY_SCALARS, _PANDAS, _ARROW, _TORCH, _SCRIPT, _LAYERS, _CLASSES, _SPARSE, _FUNCTIONS)
    return any(pattern.fullmatch(full) for pattern in patterns)
