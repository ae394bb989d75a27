// Runs a fuzz target without libFuzzer: every file of its corpus, then a fixed number of inputs
// made of them by seeded mutations. The same arguments run the same inputs, so it is a test.
//
//   x_fuzz_replay CORPUS MUTATIONS [SEED]
//
// An input that ends the process is printed in hexadecimal; "xxd -r -p" makes a seed of it.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace sftpfs::fuzz {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kInputBytesMax = 4096;

// What is being run, for the moment when it ends the process; a signal handler has no other way.
const Bytes* current_input = nullptr;

void print_current_input() {
  if (current_input == nullptr) return;
  constexpr char kDigits[] = "0123456789abcdef";
  const auto put = [](const char* text, std::size_t size) {
    if (::write(STDERR_FILENO, text, size) < 0) ::_exit(1);
  };
  put("\ninput:", 7);
  for (std::size_t i = 0; i < current_input->size(); ++i) {
    if (i % 32 == 0) put("\n", 1);
    const std::uint8_t byte = (*current_input)[i];
    const char pair[] = {kDigits[byte >> 4], kDigits[byte & 15]};
    put(pair, 2);
  }
  put("\n", 1);
}

void on_fatal_signal(int number) {
  print_current_input();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void report_fatal_inputs() {
  std::signal(SIGABRT, on_fatal_signal);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(print_current_input);
#else
  std::signal(SIGSEGV, on_fatal_signal);
#endif
}

void run(const Bytes& input) {
  // A copy of exactly its size, so that a sanitizer sees one byte too far.
  const Bytes exact(input);
  current_input = &exact;
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  current_input = nullptr;
}

class Mutator {
 public:
  Mutator(std::vector<Bytes> corpus, std::uint32_t seed)
      : corpus_(std::move(corpus)), random_(seed) {}

  Bytes next() {
    Bytes input = corpus_[below(corpus_.size())];
    const std::size_t changes = 1 + below(6);
    for (std::size_t i = 0; i < changes; ++i) change(input);
    if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
    return input;
  }

 private:
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }
  std::uint8_t any_byte() { return static_cast<std::uint8_t>(below(256)); }
  auto at(Bytes& input, std::size_t index) {
    return input.begin() + static_cast<std::ptrdiff_t>(index);
  }

  void change(Bytes& input) {
    if (input.empty()) {
      input.push_back(any_byte());
      return;
    }
    const std::size_t where = below(input.size());
    const std::size_t count = 1 + below(std::min<std::size_t>(input.size() - where, 16));
    switch (below(7)) {
      case 0: input[where] ^= static_cast<std::uint8_t>(1U << below(8)); break;
      case 1: input[where] = any_byte(); break;
      case 2: input.insert(at(input, where), any_byte()); break;
      case 3: input.erase(at(input, where), at(input, where + count)); break;
      case 4: {
        const Bytes piece(at(input, where), at(input, where + count));
        input.insert(at(input, below(input.size())), piece.begin(), piece.end());
        break;
      }
      case 5: fill_with_extreme(input, where); break;
      default: splice(input, where); break;
    }
  }
  // Lengths and counts break at the ends of their range.
  void fill_with_extreme(Bytes& input, std::size_t where) {
    constexpr std::uint8_t kExtremes[] = {0x00, 0x7f, 0x80, 0xff};
    const std::uint8_t value = kExtremes[below(std::size(kExtremes))];
    const std::size_t end = std::min(input.size(), where + (std::size_t{1} << below(4)));
    std::fill(at(input, where), at(input, end), value);
  }
  void splice(Bytes& input, std::size_t where) {
    Bytes& other = corpus_[below(corpus_.size())];
    input.resize(where);
    input.insert(input.end(), at(other, below(other.size())), other.end());
  }

  std::vector<Bytes> corpus_;
  std::mt19937 random_;
};

std::vector<Bytes> read_corpus(const std::string& directory) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

int replay(const std::string& directory, unsigned long mutations, std::uint32_t seed) {
  const std::vector<Bytes> corpus = read_corpus(directory);
  if (corpus.empty()) {
    std::fprintf(stderr, "%s: no seeds\n", directory.c_str());
    return 1;
  }
  run({});
  for (const Bytes& input : corpus) run(input);
  Mutator mutator(corpus, seed);
  for (unsigned long i = 0; i < mutations; ++i) run(mutator.next());
  std::printf("%zu seeds and %lu mutations\n", corpus.size(), mutations);
  return 0;
}

}  // namespace
}  // namespace sftpfs::fuzz

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::fprintf(stderr, "usage: %s CORPUS MUTATIONS [SEED]\n", argv[0]);
    return 2;
  }
  sftpfs::fuzz::report_fatal_inputs();
  const unsigned long seed = argc == 4 ? std::strtoul(argv[3], nullptr, 10) : 1;
  return sftpfs::fuzz::replay(argv[1], std::strtoul(argv[2], nullptr, 10),
                              static_cast<std::uint32_t>(seed));
}
