"""The Responses vocabulary, which every protocol is translated to and from: one grammar, its items, its fold."""
