"""What the check sends, face by face: one function a case, a row for each in the tables."""
