"""What every run needs: context, monitor, preflight, backup, passes, status, and housekeeping."""
