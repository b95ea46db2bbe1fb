"""The peer: consume, produce, nothing else. It keeps no position, proves nothing, and loses what fails.

``python -m tests.benchmarks.streams.plain SOURCE TARGET TOPIC PARTITIONS RECORDS``
"""

from __future__ import annotations

import sys

from confluent_kafka import Consumer, Producer, TopicPartition


def main(source: str, target: str, topic: str, partitions: int, records: int) -> None:
    """Copy so many records."""
    consumer = Consumer({"bootstrap.servers": source, "group.id": "plain", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    producer = Producer({"bootstrap.servers": target, "enable.idempotence": True})
    done = 0
    while done < records:
        for message in consumer.consume(5_000, 0.1):
            while True:
                try:
                    producer.produce(
                        topic,
                        message.value(),
                        message.key(),
                        message.partition(),
                        timestamp=message.timestamp()[1],
                        headers=message.headers() or [],
                    )
                    break
                except BufferError:
                    producer.poll(0.01)
            done += 1
        producer.poll(0)
    producer.flush()
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
