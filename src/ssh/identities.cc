// See identities.h.
#include "ssh/identities.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "ssh/agent.h"
#include "ssh/key_file.h"
#include "ssh/public_key.h"

namespace sftpfs::ssh {
namespace {

bool can_use(const std::string& type) {
  return type == "ssh-ed25519" || type == "ssh-rsa" || type == "ecdsa-sha2-nistp256" ||
         type == "ecdsa-sha2-nistp384" || type == "ecdsa-sha2-nistp521";
}

class FileIdentity final : public Identity {
 public:
  FileIdentity(KeyFile file, const LoginContext& context)
      : file_(std::move(file)), context_(context) {}

  std::string label() const override { return "key " + file_.path(); }

  Result<std::string> public_blob() override {
    if (!file_.public_blob().empty()) return file_.public_blob();
    Result<const PrivateKey*> opened = key();
    if (!opened) return fail(opened.error());
    return (*opened)->public_blob();
  }

  Result<std::string> sign(std::string_view algorithm, std::string_view data) override {
    Result<const PrivateKey*> opened = key();
    if (!opened) return fail(opened.error());
    return (*opened)->sign(algorithm, data);
  }

 private:
  Result<const PrivateKey*> key() {
    if (const PrivateKey* kept = context_.login.find_key(file_.path())) return kept;
    if (!file_.encrypted()) return keep(file_.decrypt(Secret()));
    if (!context_.can_ask()) {
      return fail(ErrorCode::kAuthentication,
                  "it has a passphrase and nobody can be asked; load it with ssh-add");
    }
    const std::string prompt = fmt::format("Enter passphrase for key '{}': ", file_.path());
    for (int attempt = 0; attempt < context_.target.password_prompts; ++attempt) {
      Result<Secret> passphrase = ask(prompt);
      if (!passphrase) return fail(passphrase.error());
      Result<PrivateKey> opened = file_.decrypt(*passphrase);
      if (opened || !opened.error().is(ErrorCode::kAuthentication)) return keep(std::move(opened));
    }
    return fail(ErrorCode::kAuthentication, "wrong passphrase");
  }

  Result<Secret> ask(const std::string& prompt) {
    const Patience::Pause pause(context_.patience);
    return context_.prompter->ask_secret(prompt);
  }

  Result<const PrivateKey*> keep(Result<PrivateKey> opened) {
    if (!opened) return fail(opened.error());
    return &context_.login.keep_key(file_.path(), std::move(*opened));
  }

  KeyFile file_;
  const LoginContext& context_;
};

class AgentIdentity final : public Identity {
 public:
  AgentIdentity(std::shared_ptr<Agent> agent, AgentKey key, const LoginContext& context)
      : agent_(std::move(agent)), key_(std::move(key)), context_(context) {}

  std::string label() const override {
    return fmt::format("agent key {} ({})", describe_key(key_.blob), key_.comment);
  }
  Result<std::string> public_blob() override { return key_.blob; }
  Result<std::string> sign(std::string_view algorithm, std::string_view data) override {
    return agent_->sign(key_.blob, algorithm, data, context_.patience);
  }

 private:
  std::shared_ptr<Agent> agent_;
  AgentKey key_;
  const LoginContext& context_;
};

// One configured file: what could be read of it.
struct FileEntry {
  std::optional<KeyFile> file;
  std::string public_blob;  // also where only the public half lies there
};

std::vector<FileEntry> read_files(const LoginContext& context, std::vector<std::string>& notes) {
  std::vector<FileEntry> entries;
  for (const std::string& path : context.target.identity_files) {
    FileEntry entry;
    Result<KeyFile> file = KeyFile::read(path);
    if (file) {
      entry.public_blob = file->public_blob();
      entry.file = std::move(*file);
    } else {
      entry.public_blob = read_public_key(path);
      const bool only_missing_default =
          file.error().os_errno() == ENOENT && !context.target.identity_files_named;
      if (!only_missing_default && entry.public_blob.empty()) {
        notes.push_back(fmt::format("key {}: {}", path, file.error().describe()));
      }
    }
    const std::string type = key_type(entry.public_blob);
    if (!type.empty() && !can_use(type)) {
      notes.push_back(fmt::format("key {}: {} needs -o transport=ssh", path, type));
      continue;
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

struct AgentEntries {
  std::shared_ptr<Agent> agent;
  std::vector<AgentKey> keys;
};

AgentEntries ask_agent(const LoginContext& context, std::vector<std::string>& notes) {
  AgentEntries entries;
  if (context.target.agent_socket.empty()) return entries;
  Result<Agent> agent = Agent::open(context.target.agent_socket);
  if (!agent) {
    notes.push_back(agent.error().describe());
    return entries;
  }
  entries.agent = std::make_shared<Agent>(std::move(*agent));
  Result<std::vector<AgentKey>> keys = entries.agent->list(context.patience);
  if (!keys) {
    notes.push_back(keys.error().describe());
    return entries;
  }
  for (AgentKey& key : *keys) {
    const std::string type = key_type(key.blob);
    if (can_use(type)) {
      entries.keys.push_back(std::move(key));
    } else {
      notes.push_back(fmt::format("agent key {}: {} needs -o transport=ssh", key.comment, type));
    }
  }
  return entries;
}

}  // namespace

// ssh's order: agent keys named by files, in the files' order; the agent's others; files that the
// agent does not have. What has worked before goes first.
std::vector<std::unique_ptr<Identity>> find_identities(const LoginContext& context,
                                                       std::vector<std::string>& notes) {
  std::vector<FileEntry> files = read_files(context, notes);
  AgentEntries agent = ask_agent(context, notes);
  std::vector<std::unique_ptr<Identity>> found;
  std::vector<std::string> blobs;  // of `found`, in step with it
  const auto take_agent_key = [&](AgentKey& key) {
    blobs.push_back(key.blob);
    found.push_back(std::make_unique<AgentIdentity>(agent.agent, key, context));
  };
  for (FileEntry& entry : files) {
    const auto same = std::find_if(agent.keys.begin(), agent.keys.end(), [&](const AgentKey& key) {
      return key.blob == entry.public_blob;
    });
    if (same == agent.keys.end()) continue;
    take_agent_key(*same);
    agent.keys.erase(same);
    entry.file.reset();
  }
  if (!context.target.identities_only) {
    for (AgentKey& key : agent.keys) take_agent_key(key);
  }
  for (FileEntry& entry : files) {
    if (!entry.file) continue;
    blobs.push_back(entry.public_blob);
    found.push_back(std::make_unique<FileIdentity>(std::move(*entry.file), context));
  }
  const auto accepted = std::find(blobs.begin(), blobs.end(), context.login.accepted_key());
  if (accepted != blobs.end()) {
    const auto at = found.begin() + (accepted - blobs.begin());
    std::rotate(found.begin(), at, at + 1);
  }
  return found;
}

}  // namespace sftpfs::ssh
