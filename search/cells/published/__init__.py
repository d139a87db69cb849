"""Published recurrent cells as data, one file a family."""
