"""The rules of the check: each module takes answers and yields a sentence for each rule that is broken."""
