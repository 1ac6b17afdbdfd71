"""What jitaccess costs, as ratios against a bare client that makes the same writes in the same run (docs/performance.md)."""
