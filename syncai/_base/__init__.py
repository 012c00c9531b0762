"""What every floor may use: values, JSON, files, phases of a call, and what the interpreter hides."""
