"""Races between a cancel and a job, run many times and compared with what ComfyUI really did."""
