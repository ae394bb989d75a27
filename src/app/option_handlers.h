// What the rows of the option table do with their values.
//
// Threads: pure, but for names of users and groups.
#pragma once

#include <type_traits>

#include "app/option_table.h"
#include "app/values.h"

namespace sftpfs::app {

// The simple ones are templates over the member they set.

template <auto Member, auto Value>
Status assign(const OptionUse& use) {
  use.into.config.*Member = Value;
  return {};
}

template <auto Member, bool Value>
Status assign_flag(const OptionUse& use) {
  use.into.config.flags.*Member = Value;
  return {};
}

template <auto Member>
Status store_text(const OptionUse& use) {
  use.into.config.*Member = std::string(use.value);
  return {};
}

// Stores what `Parse` makes of the value, in the member's own type.
template <auto Member, auto Parse>
Status store(const OptionUse& use) {
  auto parsed = Parse(use.value);
  if (!parsed) return fail(parsed.error());
  use.into.config.*Member = *parsed;
  return {};
}

Status check_range(std::string_view text, std::uint64_t value, std::uint64_t minimum,
                   std::uint64_t maximum);

template <auto Member, auto Parse, std::uint64_t Minimum, std::uint64_t Maximum>
Status store_within(const OptionUse& use) {
  const auto parsed = Parse(use.value);
  if (!parsed) return fail(parsed.error());
  const Status in_range = check_range(use.value, *parsed, Minimum, Maximum);
  if (!in_range) return in_range;
  using Field = std::remove_reference_t<decltype(use.into.config.*Member)>;
  if constexpr (std::is_arithmetic_v<Field>) {
    use.into.config.*Member = static_cast<Field>(*parsed);
  } else {
    use.into.config.*Member = static_cast<typename Field::value_type>(*parsed);
  }
  return {};
}

// The others, by option.
Status set_block_size(const OptionUse& use);
Status set_dir_cache(const OptionUse& use);
Status set_debug(const OptionUse& use);
Status set_create_owner(const OptionUse& use);
Status set_durability(const OptionUse& use);
Status set_idmap(const OptionUse& use);
Status set_nomap(const OptionUse& use);
Status set_log_level(const OptionUse& use);
Status set_security_context(const OptionUse& use);
Status set_ssh_command(const OptionUse& use);
Status set_transport(const OptionUse& use);
Status set_crypto(const OptionUse& use);
Status set_umount_timeout(const OptionUse& use);
Status set_vsock(const OptionUse& use);
Status set_workaround(const OptionUse& use);
Status set_ssh_protocol(const OptionUse& use);

Status add_identity_file(const OptionUse& use);
// Keeps the word under the row's name for ssh(1); a later one replaces an earlier.
Status add_ssh_option(const OptionUse& use);
// The same for methods of authentication that are on by default: "yes" asks for nothing.
Status add_ssh_method(const OptionUse& use);
// ssh_option=Name=Value: for words that the table does not have yet.
Status add_any_ssh_option(const OptionUse& use);

}  // namespace sftpfs::app
