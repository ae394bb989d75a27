// See key_file.h.
#include "ssh/key_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"
#include "ssh/base64.h"
#include "ssh/public_key.h"

namespace sftpfs::ssh {
namespace {

constexpr std::size_t kFileBytesMax = 65536;

Result<Secret> read_file(const std::string& path, bool must_be_private) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat attributes {};
  if (!fd || ::fstat(fd.get(), &attributes) != 0) return fail(Error::system(errno, path));
  if (!S_ISREG(attributes.st_mode)) return fail(ErrorCode::kInvalid, "no regular file");
  // As ssh: a key that others can read is not used, so that its owner notices.
  if (must_be_private && attributes.st_uid == ::getuid() && (attributes.st_mode & 077) != 0) {
    return fail(ErrorCode::kInvalid, fmt::format("others may access it (mode {:04o}); chmod 600 it",
                                                 attributes.st_mode & 07777));
  }
  Secret text(kFileBytesMax);
  std::size_t size = 0;
  while (true) {
    const ssize_t got = ::read(fd.get(), text.buffer() + size, text.capacity() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Error::system(errno, path));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    if (size == text.capacity()) return fail(ErrorCode::kInvalid, "too large for a key");
  }
  text.set_size(size);
  return text;
}

// The blob of a line "type base64 comment"; empty when there is none.
std::string read_public_line(const std::string& path) {
  const Result<Secret> text = read_file(path, false);
  if (!text) return {};
  const std::string_view line = text->view();
  const std::size_t first = line.find(' ');
  if (first == std::string_view::npos) return {};
  const std::string_view rest = line.substr(first + 1);
  std::string blob =
      base64_decode(rest.substr(0, rest.find_first_of(" \r\n"))).value_or(std::string());
  return key_type(blob) == line.substr(0, first) ? blob : std::string();
}

int give_passphrase(char* buffer, int size, int /*writing*/, void* secret) {
  const auto& passphrase = *static_cast<const Secret*>(secret);
  // Never 0 for an empty one: OpenSSL would take it for a passphrase.
  if (passphrase.empty() || passphrase.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(buffer, passphrase.view().data(), passphrase.size());
  return static_cast<int>(passphrase.size());
}

Result<PrivateKey> read_pem(const Secret& pem, bool encrypted, const Secret& passphrase) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.view().data(), static_cast<int>(pem.size())), &BIO_free);
  EvpKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &give_passphrase,
                                     const_cast<Secret*>(&passphrase)));
  ERR_clear_error();
  if (key == nullptr) {
    return encrypted ? fail(ErrorCode::kAuthentication, "wrong passphrase")
                     : fail(ErrorCode::kInvalid, "no private key that OpenSSL can read");
  }
  return PrivateKey::adopt(std::move(key));
}

}  // namespace

std::string read_public_key(const std::string& path) {
  std::string blob = read_public_line(path + ".pub");
  return blob.empty() ? read_public_line(path) : blob;
}

Result<KeyFile> KeyFile::read(const std::string& path) {
  Result<Secret> text = read_file(path, true);
  if (!text) return fail(text.error());
  KeyFile file;
  file.path_ = path;
  const std::string_view view = text->view();
  if (OpenSshKey::recognises(view)) {
    Result<OpenSshKey> key = OpenSshKey::parse(view);
    if (!key) return fail(key.error());
    file.encrypted_ = key->encrypted();
    file.public_blob_ = key->public_blob();
    file.openssh_ = std::move(*key);
    return file;
  }
  if (view.find("PRIVATE KEY-----") == std::string_view::npos) {
    return fail(ErrorCode::kInvalid, "no private key");
  }
  file.encrypted_ = view.find("BEGIN ENCRYPTED PRIVATE KEY") != std::string_view::npos ||
                    view.find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos;
  file.pem_ = std::move(*text);
  if (file.encrypted_) {
    file.public_blob_ = read_public_key(path);
  } else {
    Result<PrivateKey> key = read_pem(file.pem_, false, Secret());
    if (!key) return fail(key.error());
    file.public_blob_ = key->public_blob();
  }
  return file;
}

Result<PrivateKey> KeyFile::decrypt(const Secret& passphrase) const {
  return openssh_ ? openssh_->decrypt(passphrase) : read_pem(pem_, encrypted_, passphrase);
}

}  // namespace sftpfs::ssh
