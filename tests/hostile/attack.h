// Attack: what a malicious server makes of an honest answer.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>

namespace sftpfs::test {

enum class Attack : std::uint32_t {
  kNone,
  // Packets that are none.
  kOversizedLength,
  kZeroLength,
  kGarbage,
  kTruncatedBody,
  kTrailingBytes,
  kUnknownType,
  kOtherType,  // ATTRS, whatever was asked for
  // Answers to nothing.
  kWrongId,
  kTwice,
  kUnasked,
  // Words that make no sense.
  kSuccessWithoutResult,  // STATUS OK where something was asked for
  kTooMuchData,
  kDataCountLies,
  kEmptyData,
  kCountBomb,  // of names
  kEvilNames,
  kEndlessListing,
  kLyingAttributes,
  kChangingTypes,
  kNoAttributes,
  kUnknownAttributes,
  kLongHandle,
  kEmptyHandle,
  // Behaviour.
  kSlow,    // a byte at a time
  kHangUp,  // instead of an answer
  kEnd,
};

const char* attack_name(Attack attack);
// Whether the client can see that the server breaks the protocol, or that it has gone: then it
// connects again. Else the answer is a lie that nobody can tell from the truth.
bool is_seen_through(Attack attack);

// What goes to the client in place of `answer` (a packet without its length), with lengths.
// `number` counts answers; `to_readdir`: it answers a READDIR.
std::string attacked(Attack attack, const std::string& answer, std::uint32_t number,
                     bool to_readdir);

}  // namespace sftpfs::test
