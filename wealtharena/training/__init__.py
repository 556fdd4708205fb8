"""Everything RLlib: algorithms, trainings, their orchestration on Ray. Import the submodules; they are heavy."""
