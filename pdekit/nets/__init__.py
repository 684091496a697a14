"""Network architectures. They know nothing of equations, grids or data: tensors in, tensors out.

Every grid net has the signature of `pdekit.nets.base.GridNet`.
"""
