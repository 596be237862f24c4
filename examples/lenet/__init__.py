"""What `train_lenet.py` is made of: data sets, LeNet-5, the training of it, and the report.

======================  ==========================================================
`lenet.idx`             reads one IDX file, and says by name what is wrong with it
`lenet.datasets`        finds, downloads and loads digits, MNIST and Fashion-MNIST
`lenet.model`           LeNet-5 and the two criteria, NPL's and torch's
`lenet.ranks`           one process or several, behind one small object
`lenet.training`        the training loop, and what is measured in it
`lenet.report`          the table, the JSON record and the figure
======================  ==========================================================
"""
