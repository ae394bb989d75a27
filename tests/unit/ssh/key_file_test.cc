// Promises of ssh/key_file.h, with keys that ssh-keygen makes for the test.
#include "ssh/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "ssh/base64.h"
#include "ssh/public_key.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace sftpfs::ssh {
namespace {

using testing::HasSubstr;

struct Shape {
  const char* name;
  const char* type;
  const char* bits;
  const char* format;  // of ssh-keygen -m; empty: OpenSSH's own
  const char* cipher;  // of ssh-keygen -Z; empty: no passphrase
};

class KeyFiles : public testing::TestWithParam<Shape> {
 protected:
  static constexpr const char* kPassphrase = "open sesame";

  std::string make() {
    const Shape& shape = GetParam();
    const bool encrypted = shape.cipher[0] != '\0';
    test::Arguments arguments{"ssh-keygen", "-q",       "-t", shape.type,
                              "-b",         shape.bits, "-f", path_,
                              "-C",         "me@home",  "-N", encrypted ? kPassphrase : ""};
    // One round of the key derivation: its price is not what is tested.
    const bool own_format = shape.format[0] == '\0';
    if (own_format && encrypted) {
      arguments.insert(arguments.end(), {"-a", "1", "-Z", shape.cipher});
    }
    if (!own_format) arguments.insert(arguments.end(), {"-m", shape.format});
    const test::Outcome made = test::run(arguments);
    EXPECT_TRUE(made.ok()) << made.describe();
    return path_;
  }

  std::string public_half() const {
    std::ifstream file(path_ + ".pub");
    std::string type;
    std::string text;
    file >> type >> text;
    return base64_decode(text).value_or("unreadable");
  }

  test::TempDir directory_;
  std::string path_ = directory_.file("id");
};

TEST_P(KeyFiles, AreReadWithThePassphraseAndOnlyWithIt) {
  const Result<KeyFile> file = KeyFile::read(make());
  ASSERT_TRUE(file) << file.error().describe();
  const bool encrypted = GetParam().cipher[0] != '\0';
  EXPECT_EQ(file->encrypted(), encrypted);
  EXPECT_EQ(file->public_blob(), public_half());
  const Result<PrivateKey> key = file->decrypt(Secret::copy_of(encrypted ? kPassphrase : ""));
  ASSERT_TRUE(key) << key.error().describe();
  EXPECT_EQ(key->public_blob(), public_half());
  if (!encrypted) return;
  for (const char* wrong : {"", "open sesamf"}) {
    const Result<PrivateKey> refused = file->decrypt(Secret::copy_of(wrong));
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(ErrorCode::kAuthentication)) << refused.error().describe();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, KeyFiles,
    testing::Values(Shape{"Ed25519", "ed25519", "256", "", ""},
                    Shape{"Ecdsa256", "ecdsa", "256", "", ""},
                    Shape{"Ecdsa384", "ecdsa", "384", "", ""},
                    Shape{"Ecdsa521", "ecdsa", "521", "", ""}, Shape{"Rsa", "rsa", "2048", "", ""},
                    Shape{"RsaPem", "rsa", "2048", "PEM", ""},
                    Shape{"RsaPkcs8", "rsa", "2048", "PKCS8", ""},
                    Shape{"EcdsaPkcs8", "ecdsa", "256", "PKCS8", ""},
                    Shape{"Ed25519Ctr", "ed25519", "256", "", "aes256-ctr"},
                    Shape{"EcdsaCbc", "ecdsa", "256", "", "aes128-cbc"},
                    Shape{"RsaCtr", "rsa", "2048", "", "aes192-ctr"},
                    Shape{"RsaGcm", "rsa", "2048", "", "aes256-gcm@openssh.com"},
                    Shape{"RsaPemEncrypted", "rsa", "2048", "PEM", "any"},
                    Shape{"RsaPkcs8Encrypted", "rsa", "2048", "PKCS8", "any"}),
    [](const auto& shape) { return std::string(shape.param.name); });

class KeyFileText : public testing::Test {
 protected:
  Error read_error(const std::string& text, mode_t mode = 0600) {
    const std::string path = directory_.file("id");
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    const Result<KeyFile> file = KeyFile::read(path);
    return file ? Error(ErrorCode::kBusy, "it was accepted") : file.error();
  }
  test::TempDir directory_;
};

TEST_F(KeyFileText, AMissingFileSaysSo) {
  const Result<KeyFile> file = KeyFile::read(directory_.file("none"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().os_errno(), ENOENT);
}

TEST_F(KeyFileText, OthersMustNotBeAbleToReadIt) {
  const Error error = read_error("-----BEGIN PRIVATE KEY-----\n", 0644);
  EXPECT_TRUE(error.is(ErrorCode::kInvalid));
  EXPECT_THAT(error.message(), HasSubstr("chmod 600"));
}

TEST_F(KeyFileText, DamageIsNamedAndNeverCrashes) {
  const std::string begin = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
  const std::string end = "\n-----END OPENSSH PRIVATE KEY-----\n";
  const std::string head = std::string("openssh-key-v1\0", 15);
  for (const std::string& text :
       {std::string(), std::string("hello"), begin, begin + end, end + begin, begin + "AAAA" + end,
        begin + base64_encode(head) + end,
        begin + base64_encode(head + std::string(64, '\xff')) + end,
        std::string("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"),
        std::string(70'000, 'x')}) {
    EXPECT_TRUE(read_error(text).is(ErrorCode::kInvalid)) << text.substr(0, 60);
  }
}

TEST_F(KeyFileText, EveryTruncationOfAKeyIsRefused) {
  const std::string path = directory_.file("whole");
  const test::Outcome made = test::run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path});
  ASSERT_TRUE(made.ok()) << made.describe();
  std::ifstream file(path);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::string end = "-----END OPENSSH PRIVATE KEY-----\n";
  const std::size_t body_end = text.find(end);
  for (std::size_t cut = 36; cut < body_end; cut += 7) {
    const std::string cut_path = directory_.file("cut");
    std::ofstream(cut_path) << text.substr(0, cut) << '\n' << end;
    ::chmod(cut_path.c_str(), 0600);
    const Result<KeyFile> read = KeyFile::read(cut_path);
    // What still parses must fail to yield a key, unless only padding is lost.
    if (read && cut + 12 < body_end) {
      EXPECT_FALSE(read->decrypt(Secret())) << cut;
    }
  }
}

TEST_F(KeyFileText, FindsThePublicHalfBesideTheKey) {
  const std::string path = directory_.file("id");
  ASSERT_TRUE(test::run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path}).ok());
  const std::string blob = read_public_key(path);
  EXPECT_EQ(key_type(blob), "ssh-ed25519");
  EXPECT_EQ(read_public_key(path + ".pub"), blob);
  EXPECT_EQ(read_public_key(directory_.file("none")), "");
}

TEST_F(KeyFileText, FingerprintsLookAsSshKeygenPrintsThem) {
  const std::string path = directory_.file("id");
  ASSERT_TRUE(test::run({"ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", path}).ok());
  const test::Outcome listed = test::run({"ssh-keygen", "-l", "-f", path});
  EXPECT_THAT(listed.output, HasSubstr(" " + fingerprint(read_public_key(path)) + " "));
}

}  // namespace
}  // namespace sftpfs::ssh
