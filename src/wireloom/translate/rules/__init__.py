"""The rules of translation: what each field, item and member becomes, and how a loss is reported."""
