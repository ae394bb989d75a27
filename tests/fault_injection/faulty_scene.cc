// See faulty_scene.h.
#include "fault_injection/faulty_scene.h"

#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>
#include <string_view>

#include "integration/pattern.h"

namespace sftpfs::test {
namespace {

constexpr std::uint64_t kSeed = 7;

// Made once: many files are written with them.
std::string_view piece_of(std::uint64_t number) {
  static const std::vector<char> pieces = [] {
    std::vector<char> bytes(kPiecesMax * kPieceSize);
    Pattern(kSeed).fill(0, bytes);
    return bytes;
  }();
  return {pieces.data() + (number % kPiecesMax) * kPieceSize, kPieceSize};
}

ServerOptions faulty(const SharedScript& script) {
  ServerOptions options;
  options.sftp_subsystem = std::string(SFTPFS_FAULTY_SERVER) + " " + script.path();
  return options;
}

MountOptions one_session(const std::vector<std::string>& extra, const std::string& remote_dir) {
  MountOptions options;
  options.config.workers = 1;
  options.config.max_conns = 1;
  options.extra = extra;
  options.remote_dir = remote_dir;
  return options;
}

}  // namespace

FaultyScene::FaultyScene(const std::vector<std::string>& extra_options,
                         const std::string& remote_dir)
    : server_(faulty(script_)), mount_(server_, one_session(extra_options, remote_dir)) {}

void Errors::note(const std::string& call, ssize_t result) {
  if (result >= 0) return;
  const char* name = ::strerrorname_np(errno);
  text_ += (text_.empty() ? "" : "; ") + call + ": " + (name == nullptr ? "?" : name);
}

std::string error_of(const std::string& errors) {
  const std::size_t colon = errors.find(": ");
  if (colon == std::string::npos || errors.find(';') != std::string::npos) return errors;
  return errors.substr(colon + 2);
}

ssize_t write_piece(int fd, std::uint64_t number) {
  const std::string_view piece = piece_of(number);
  return ::pwrite(fd, piece.data(), piece.size(), static_cast<off_t>(number * kPieceSize));
}

std::vector<int> wrong_pieces(const std::string& path, int count) {
  std::ifstream file(path, std::ios::binary);
  std::vector<int> wrong;
  std::string piece(kPieceSize, '\0');
  for (int i = 0; i < count; ++i) {
    const auto number = static_cast<std::uint64_t>(i);
    piece.assign(kPieceSize, '\0');
    file.clear();
    file.seekg(static_cast<std::streamoff>(number * kPieceSize));
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    if (piece != piece_of(number)) wrong.push_back(i);
  }
  return wrong;
}

}  // namespace sftpfs::test
