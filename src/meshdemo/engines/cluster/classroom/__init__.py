"""A class on one cluster: a namespace with few rights for each student, and their kubeconfigs."""
