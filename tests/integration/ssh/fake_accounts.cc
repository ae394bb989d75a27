// Preloaded into a test's sshd: gives every account the password in $SFTPFS_TEST_PASSWORD and,
// where $SFTPFS_TEST_PAM_DIR is set, PAM services of that directory; and is itself the PAM module
// that asks what $SFTPFS_TEST_PAM_QUESTIONS names: "question=answer" separated by ';'.
//
// Limits: only ever inside the private sshd of a test. libpam's few types are declared here, so
//         that its headers need not be installed.
#include <crypt.h>
#include <dlfcn.h>
#include <shadow.h>

#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr int kPamSuccess = 0;
constexpr int kPamAuthError = 7;
constexpr int kPamConversationItem = 5;
constexpr int kPromptEchoOff = 1;
constexpr int kPromptEchoOn = 2;

struct PamMessage {
  int style;
  const char* text;
};
struct PamResponse {
  char* text;
  int code;
};
struct PamConversation {
  int (*converse)(int, const PamMessage**, PamResponse**, void*);
  void* data;
};

// sshd empties the environment of the process in which modules run; pam_start() comes before.
std::string& questions() {
  static std::string text;
  return text;
}

std::string environment(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

// True when the person at the other end gives the expected answer.
bool ask(const PamConversation& conversation, const std::string& question,
         const std::string& expected) {
  // A one-time code may be seen while it is typed.
  const bool visible = question.find("code") != std::string::npos;
  const PamMessage message{visible ? kPromptEchoOn : kPromptEchoOff, question.c_str()};
  const PamMessage* list = &message;
  PamResponse* response = nullptr;
  if (conversation.converse(1, &list, &response, conversation.data) != kPamSuccess ||
      response == nullptr) {
    return false;
  }
  const bool right = response->text != nullptr && expected == response->text;
  std::free(response->text);
  std::free(response);
  return right;
}

}  // namespace

extern "C" {

// libpam's, bound when the module is loaded into sshd.
int pam_get_item(const void* handle, int item, const void** value);

spwd* getspnam(const char* name) {
  static spwd entry;
  static std::string hash;
  static std::string user;
  user = name;
  hash = ::crypt(environment("SFTPFS_TEST_PASSWORD").c_str(), "$6$salt$");
  entry = spwd{};
  entry.sp_namp = user.data();
  entry.sp_pwdp = hash.data();
  entry.sp_lstchg = entry.sp_min = entry.sp_max = entry.sp_warn = -1;
  entry.sp_inact = entry.sp_expire = -1;
  return &entry;
}

int pam_start(const char* /*service*/, const char* user, const void* conversation, void** handle) {
  using Start = int (*)(const char*, const char*, const void*, const char*, void**);
  const auto start = reinterpret_cast<Start>(::dlsym(RTLD_DEFAULT, "pam_start_confdir"));
  if (start == nullptr) return kPamAuthError;
  questions() = environment("SFTPFS_TEST_PAM_QUESTIONS");
  return start("sftpfs-test", user, conversation, environment("SFTPFS_TEST_PAM_DIR").c_str(),
               handle);
}

int pam_sm_authenticate(void* handle, int /*flags*/, int /*argc*/, const char** /*argv*/) {
  const void* item = nullptr;
  if (pam_get_item(handle, kPamConversationItem, &item) != kPamSuccess || item == nullptr) {
    return kPamAuthError;
  }
  std::string rest = questions();
  if (rest.empty()) return kPamAuthError;
  while (!rest.empty()) {
    const std::string one = rest.substr(0, rest.find(';'));
    rest.erase(0, one.size() + 1);
    const std::size_t equals = one.find('=');
    if (!ask(*static_cast<const PamConversation*>(item), one.substr(0, equals),
             one.substr(equals + 1))) {
      return kPamAuthError;
    }
  }
  return kPamSuccess;
}

int pam_sm_setcred(void* /*handle*/, int /*flags*/, int /*argc*/, const char** /*argv*/) {
  return kPamSuccess;
}

}  // extern "C"
