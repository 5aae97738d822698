"""From a pruned network to what an array executes: who runs what, int8 numbers, packed weights and a schedule; a simulator that runs them; Verilog."""
