"""The requests of the check, face by face: one function a case, a row for each in the tables."""
