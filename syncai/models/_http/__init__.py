"""What every format over HTTP shares: requests, answers, errors, downloads."""
