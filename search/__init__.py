"""Search for recurrent cells: nine layers, each importing only those below it."""
