"""What a scoring server answers to golden inputs, and how good that is: rows, answers, metrics, intervals."""
