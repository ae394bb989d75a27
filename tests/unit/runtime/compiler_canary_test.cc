// The coroutine shapes that the code base allows itself give right results, and destroy every
// object exactly once, with this compiler in this build mode. A compiler that fails here must not
// build sftpfs (docs/ARCHITECTURE.md, "Coroutines").
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/error.h"
#include "runtime/task.h"
#include "unit/runtime/loop_fixture.h"

namespace sftpfs::runtime {
namespace {

// Long enough not to fit into a string's own buffer: a bitwise copy would be freed twice.
const char kLong[] = "a text that is certainly longer than the small buffer of any string";

// Counts its living instances and knows when it was copied bit by bit.
class Live {
 public:
  explicit Live(int value) : value_(value), self_(this) { ++count; }
  Live(const Live& other) : value_(other.value_), self_(this) { ++count; }
  Live(Live&& other) noexcept : value_(other.value_), self_(this) { ++count; }
  Live& operator=(const Live&) = default;
  ~Live() {
    if (self_ != this) ++misplaced;
    --count;
  }
  int value() const { return self_ == this ? value_ : -1; }
  static inline int count = 0;
  static inline int misplaced = 0;

 private:
  int value_;
  Live* self_;
};

struct Request {  // an aggregate: allowed only with a name of its own
  int id = 0;
  std::string name;
  std::vector<Live> parts;
};

Task<std::string> name_of(Request request, bool suspend) {
  if (suspend) co_await yield_turn();
  co_return request.name + std::to_string(request.parts.size());
}

Task<Result<std::string>> maybe(std::string text, bool good, bool suspend) {
  if (suspend) co_await yield_turn();
  if (!good) co_return fail(ErrorCode::kInvalid, text);
  co_return text;
}

Task<std::unique_ptr<Live>> own(std::unique_ptr<Live> thing, bool suspend) {
  if (suspend) co_await yield_turn();
  co_return thing;
}

Task<int> value_of(const Live& live, bool suspend) {
  if (suspend) co_await yield_turn();
  co_return live.value();
}

Task<int> value_of_temporary(Live live, bool suspend) {
  if (suspend) co_await yield_turn();
  co_return live.value();
}

std::string make_text(const char* text) { return text; }
Request make_request(int id) {
  Request request;
  request.id = id;
  request.name = kLong;
  request.parts.emplace_back(1);
  request.parts.emplace_back(2);
  return request;
}

Task<bool> named_aggregates(bool suspend) {
  Request request = make_request(1);
  const std::string copied = co_await name_of(request, suspend);
  const std::string moved = co_await name_of(std::move(request), suspend);
  co_return copied == std::string(kLong) + "2" && moved == copied;
}

Task<bool> values_made_by_functions(bool suspend) {
  const std::string name = co_await name_of(make_request(2), suspend);
  const Result<std::string> text = co_await maybe(make_text(kLong), true, suspend);
  co_return name == std::string(kLong) + "2" && text == std::string(kLong);
}

Task<bool> temporaries_with_constructors(bool suspend) {
  const Result<std::string> text = co_await maybe(std::string(kLong), true, suspend);
  const int value = co_await value_of_temporary(Live(7), suspend);
  std::unique_ptr<Live> owned = co_await own(std::make_unique<Live>(9), suspend);
  co_return text.has_value() && value == 7 && owned->value() == 9;
}

Task<bool> references_to_locals(bool suspend) {
  const Live local(5);
  const int value = co_await value_of(local, suspend);
  co_return value == 5;
}

Task<Result<std::string>> forwards(bool good, bool suspend) {
  co_return co_await maybe(std::string(kLong), good, suspend);
}

Task<bool> results_and_early_returns(bool suspend) {
  Result<std::string> good = co_await forwards(true, suspend);
  if (!good) co_return false;
  const Result<std::string> bad = co_await forwards(false, suspend);
  if (bad) co_return false;
  co_return *good == kLong&& bad.error().message() == kLong;
}

Task<bool> loops_and_branches(bool suspend) {
  std::vector<std::string> texts;
  for (int i = 0; i < 20; ++i) {
    const std::string suffix = std::to_string(i);
    if (i % 3 == 0) continue;
    const Result<std::string> text = co_await maybe(kLong + suffix, i % 2 == 0, suspend);
    if (!text) {
      texts.push_back(text.error().message());
      continue;
    }
    switch (i % 4) {
      case 0: {
        const Live live(i);
        const int value = co_await value_of(live, suspend);
        texts.push_back(*text + std::to_string(value));
        break;
      }
      default: texts.push_back(*text); break;
    }
  }
  co_return texts.size() == 13 && texts[0] == std::string(kLong) + "1";
}

Task<bool> containers(bool suspend) {
  std::map<std::string, std::optional<Live>> table;
  table.emplace(kLong, Live(3));
  const auto found = table.find(kLong);
  const int value = co_await value_of(*found->second, suspend);
  std::pair<std::string, Live> pair(kLong, Live(4));
  const int second = co_await value_of(pair.second, suspend);
  const std::tuple<std::string, int> tuple(kLong, value + second);
  co_return std::get<0>(tuple) == kLong&& std::get<1>(tuple) == 7;
}

class Shape {
 public:
  virtual ~Shape() = default;
  virtual Task<int> area(bool suspend) = 0;
};

class Square final : public Shape {
 public:
  explicit Square(int side) : side_(side) {}
  Task<int> area(bool suspend) override {
    const int side = co_await value_of(side_, suspend);
    co_return side* side;
  }

 private:
  Live side_;
};

template <class T>
Task<T> twice(T value, bool suspend) {
  if (suspend) co_await yield_turn();
  T sum = value + value;
  co_return sum;
}

Task<bool> members_virtuals_and_templates(bool suspend) {
  const std::unique_ptr<Shape> shape = std::make_unique<Square>(6);
  const int area = co_await shape->area(suspend);
  const std::string text = co_await twice(std::string(kLong), suspend);
  const int number = co_await twice(21, suspend);
  co_return area == 36 && text.size() == 2 * std::string(kLong).size() && number == 42;
}

Task<bool> lambdas_without_captures(bool suspend) {
  const auto add = [](Live one, Live other, bool pause) -> Task<int> {
    if (pause) co_await yield_turn();
    co_return one.value() + other.value();
  };
  const int sum = co_await add(Live(1), Live(2), suspend);
  co_return sum == 3;
}

Task<bool> tasks_with_names(bool suspend) {
  Task<int> first = value_of_temporary(Live(1), suspend);
  Task<int> second = value_of_temporary(Live(2), suspend);
  const int b = co_await std::move(second);
  const int a = co_await std::move(first);
  co_return a == 1 && b == 2;
}

// G++ 12 lost bodies whose outermost block had no local variable.
Task<void> no_locals(std::string& out, bool suspend) {
  if (suspend) {
    co_await yield_turn();
    out += "suspended";
  }
  co_await yield_turn();
  out += kLong;
}

Task<bool> bodies_without_locals(bool suspend) {
  std::string out;
  co_await no_locals(out, suspend);
  co_return out == std::string(suspend ? "suspended" : "") + kLong;
}

using Canary = Task<bool> (*)(bool suspend);

class CompilerCanary : public testing::TestWithParam<std::tuple<Canary, bool>> {};

TEST_P(CompilerCanary, TheShapeWorksAndDestroysEverythingOnce) {
  const auto [shape, suspend] = GetParam();
  Live::count = 0;
  Live::misplaced = 0;
  int right = 0;
  const auto repeat = [](Canary canary, bool pause, int& out) -> Task<void> {
    for (int i = 0; i < 10; ++i) {
      const bool good = co_await canary(pause);
      out += good ? 1 : 0;
    }
  };
  SimulatedLoop sim;
  sim.start(repeat(shape, suspend, right));
  EXPECT_EQ(right, 10);
  EXPECT_EQ(Live::count, 0);
  EXPECT_EQ(Live::misplaced, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, CompilerCanary,
    testing::Combine(testing::Values(&named_aggregates, &values_made_by_functions,
                                     &temporaries_with_constructors, &references_to_locals,
                                     &results_and_early_returns, &loops_and_branches, &containers,
                                     &members_virtuals_and_templates, &lambdas_without_captures,
                                     &tasks_with_names, &bodies_without_locals),
                     testing::Bool()));

}  // namespace
}  // namespace sftpfs::runtime
