"""The tests of Nhịp, in folders named after what they prove."""
