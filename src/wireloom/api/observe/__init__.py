"""Observation of requests: log lines, metrics, traces and recordings."""
