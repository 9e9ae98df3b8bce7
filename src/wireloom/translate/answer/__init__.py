"""What a model means, whatever form its server gives the answer: read between an upstream's reader and the stream."""
