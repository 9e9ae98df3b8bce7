"""The rules of the check: each takes what a deployment answered and yields a sentence for each rule that is broken."""
