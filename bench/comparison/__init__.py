"""The parts of bench/compare: a private server, mounts, processor time, jobs and the report."""
