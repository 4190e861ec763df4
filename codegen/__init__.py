"""Networks to programs, programs to C++ and CUDA."""
