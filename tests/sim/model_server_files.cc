// Handles of files and directories, and what is done through them. See model_server.h.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "sftp/encode.h"
#include "sim/model_server.h"
#include "sim/model_server_words.h"

namespace sftpfs::sim {

using sftp::PacketType;
using sftp::Reader;
using sftp::Writer;

std::uint32_t ServerSession::add_handle(Handle added) {
  added.used = true;
  for (std::size_t i = 0; i < handles_.size(); ++i) {
    if (handles_[i].used) continue;
    handles_[i] = std::move(added);
    return static_cast<std::uint32_t>(i);
  }
  handles_.push_back(std::move(added));
  return static_cast<std::uint32_t>(handles_.size() - 1);
}

ServerSession::Handle* ServerSession::handle(std::string_view text) {
  if (text.size() != kHandleBytes) return nullptr;
  const std::uint32_t number = u32_at(text);
  if (number >= handles_.size() || !handles_[number].used) return nullptr;
  return &handles_[number];
}

void ServerSession::open(Reader& body) {
  const std::string_view path = body.string(kStringMax);
  const std::uint32_t flags = body.u32();
  const sftp::Attrs attrs = body.attrs();
  ModelTree::OpenHow how;
  how.read = (flags & sftp::kOpenRead) != 0;
  how.write = (flags & sftp::kOpenWrite) != 0;
  how.create = (flags & sftp::kOpenCreate) != 0;
  how.exclusive = (flags & sftp::kOpenExclusive) != 0;
  how.truncate = (flags & sftp::kOpenTruncate) != 0;
  how.mode = attrs.has(sftp::kAttrPermissions) ? attrs.permissions : 0666;
  Handle opened;
  bool created = false;
  const int error = tree_.open(path, how, server_.now(), opened.node, created);
  if (error != 0) return result(error);
  if (created) server_.effects().add(Effect::kCreate, path);
  opened.readable = how.read;
  opened.writable = how.write;
  opened.append = (flags & sftp::kOpenAppend) != 0;
  send_handle(add_handle(std::move(opened)));
}

void ServerSession::opendir(Reader& body) {
  Handle opened;
  if (const int error = tree_.find(body.string(kStringMax), true, opened.node); error != 0) {
    return result(error);
  }
  if (!opened.node->is_directory()) return result(ENOTDIR);
  if ((opened.node->mode & S_IRUSR) == 0) return result(EACCES);
  opened.directory = true;
  opened.names = {".", ".."};
  for (const auto& [name, node] : opened.node->children) opened.names.push_back(name);
  send_handle(add_handle(std::move(opened)));
}

// Attributes are those of the moment; a name that has gone since is left out.
void ServerSession::readdir(Reader& body) {
  Handle* at = handle(body.string(kStringMax));
  if (at == nullptr || !at->directory) return status(sftp::kFxFailure);
  std::vector<std::pair<const std::string*, ModelRef>> found;
  while (at->next_name < at->names.size() && found.size() < server_.config().names_per_readdir) {
    const std::string& name = at->names[at->next_name++];
    const bool dots = name == "." || name == "..";
    ModelRef node = dots ? at->node : at->node->child(name);
    if (node) found.emplace_back(&name, std::move(node));
  }
  if (found.empty()) return status(sftp::kFxEof);
  Writer writer(PacketType::kName);
  writer.u32(static_cast<std::uint32_t>(found.size()));
  for (const auto& [name, node] : found) {
    writer.string(*name).string(*name).attrs(attrs_of(*node));
  }
  reply(std::move(writer));
}

void ServerSession::close(Reader& body) {
  Handle* at = handle(body.string(kStringMax));
  if (at == nullptr) return result(EBADF);
  *at = Handle();
  status(sftp::kFxOk);
}

void ServerSession::read(Reader& body) {
  const Handle* at = handle(body.string(kStringMax));
  const std::uint64_t offset = body.u64();
  const std::size_t length = body.u32();
  if (at == nullptr || at->directory) return status(sftp::kFxFailure);
  if (!at->readable) return result(EBADF);
  const std::string& content = at->node->content;
  if (offset >= content.size()) return status(sftp::kFxEof);
  const std::size_t size = std::min(length, server_.config().transfer_bytes_max);
  Writer writer(PacketType::kData);
  writer.string(std::string_view(content).substr(static_cast<std::size_t>(offset), size));
  reply(std::move(writer));
}

void ServerSession::write(Reader& body) {
  Handle* at = handle(body.string(kStringMax));
  const std::uint64_t offset = body.u64();
  const std::string_view data = body.string(kStringMax);
  if (at == nullptr || at->directory) return status(sftp::kFxFailure);
  if (!at->writable) return result(EBADF);
  ModelTree::write(*at->node, at->append ? at->node->content.size() : offset, data, server_.now());
  status(sftp::kFxOk);
}

void ServerSession::copy_data(Reader& body) {
  const Handle* from = handle(body.string(kStringMax));
  const std::uint64_t from_offset = body.u64();
  const std::uint64_t length = body.u64();
  Handle* to = handle(body.string(kStringMax));
  const std::uint64_t to_offset = body.u64();
  if (from == nullptr || to == nullptr || from->node == to->node) return status(sftp::kFxFailure);
  if (from_offset < from->node->content.size()) {
    const std::size_t size = length == 0 ? std::string::npos : static_cast<std::size_t>(length);
    const std::string data =
        from->node->content.substr(static_cast<std::size_t>(from_offset), size);
    ModelTree::write(*to->node, to_offset, data, server_.now());
  }
  status(sftp::kFxOk);
}

void ServerSession::send_handle(std::uint32_t number) {
  std::string text(kHandleBytes, '\0');
  for (std::size_t i = 0; i < kHandleBytes; ++i) {
    text[i] = static_cast<char>(number >> (8 * (kHandleBytes - 1 - i)));
  }
  Writer writer(PacketType::kHandle);
  writer.string(text);
  reply(std::move(writer));
}

}  // namespace sftpfs::sim
