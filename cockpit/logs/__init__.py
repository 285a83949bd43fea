"""What is written: lines of logs from wherever they come, held, merged, searched."""
