"""The Kafka protocol, by librdkafka: the only place that imports confluent_kafka."""
