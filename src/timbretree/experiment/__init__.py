"""The paper's experiment: methods x lambdas x seeds on one data set, and what comes of it."""
