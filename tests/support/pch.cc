// Carries the precompiled header that the test binaries reuse.
int main() { return 0; }
