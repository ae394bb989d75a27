#!/usr/bin/env python3
"""Good and bad examples of every rule that scripts/check-coroutines enforces."""
import unittest

from load_script import load_script

check = load_script('check-coroutines')

GOOD = {
    'plain': 'co_await f(x);',
    'nested calls': 'co_await client.write(handle, at + 1, make(x)).until(cancel);',
    'declaration': 'const Result<std::vector<int>> r = co_await f(std::move(x));',
    'auto': 'auto r = co_await f(x);',
    'pointer type': 'Client* client = co_await f(x);',
    'reference type': 'auto& r = co_await f(x);',
    'attribute': '[[maybe_unused]] const int r = co_await f(x);',
    'co_return': 'co_return co_await f(x);',
    'awaiting a name': 'co_await std::move(task);',
    'template call': 'co_await f<int>(x);',
    'subscript': 'const int r = co_await f(x[0], y[i + 1]);',
    'after a condition': 'if (a && b) co_await f(x);',
    'after else': 'if (a) { g(); } else co_await f(x);',
    'loop body': 'while (a || b) { co_await f(x); }',
    'one-line loop body': 'for (int i = 0; i < 3 && ok; ++i) co_await f(i);',
    'case': 'switch (a) { case kB: co_await f(x); break; default: co_await g(); }',
    'after a block': 'if (a) { b = {1, 2}; }\n co_await f(x);',
    'after an initialiser': 'Request q{1, "x"};\n co_await f(q);',
    'before an initialiser': 'co_await f(q);\n Request r{1, "x"};',
    'braces without co_await': 'co_return Request{1, "x"};',
    'in a string': 'log("if (co_await f()) {}");',
    'in a comment': '// if (co_await f()) {}\n/* a ? co_await b : c */ g();',
    'in a raw string': 'g(R"x(if (co_await f()) {})x");',
    'after a lambda statement': 'auto l = [&a](int b) { return a && b; };\n co_await f(l);',
    'captureless lambda': 'auto l = [](int a) -> Task<int> { co_return a; };\n co_await l(1);',
    'capture in a plain lambda': 'post([this] { run(*this); });\n co_await f(x);',
    'lock in its own block': '{ const std::lock_guard lock(m_); ++n; }\n co_await f(x);',
    'lock inside a plain lambda':
        'auto l = [] { std::lock_guard lock(m); return 1; };\n co_await f(l);',
    'digit separator': "const long n = 1'000'000;\n co_await f(n, 'x');",
    'shift in an argument': 'co_await f(1 << 20);',
}

BAD = {
    'if condition': 'if (co_await f(x)) g();',
    'if with initialiser': 'if (auto r = co_await f(x); r) g();',
    'switch condition': 'switch (co_await f(x)) { default: break; }',
    'while condition': 'while (co_await f(x)) g();',
    'do condition': 'do { g(); } while (co_await f(x));',
    'for header': 'for (auto r = co_await f(x); r; ) g();',
    'range for': 'for (auto e : co_await f(x)) g(e);',
    'negated': 'bool a = !co_await f(x);',
    'nested in a call': 'g(co_await f(x));',
    'nested in an await': 'co_await g(co_await f(x));',
    'in parentheses': 'auto v = (co_await f(x)).value();',
    'operand of an operator': 'int a = 1 + co_await f(x);',
    'operator behind': 'int a = co_await f(x) + 1;',
    'comparison behind': 'bool a = co_await f(x) == 1;',
    'assignment': 'r = co_await f(x);',
    'member assignment': 'this->r = co_await f(x);',
    'direct initialisation': 'Status s(co_await f(x));',
    'brace initialisation': 'Request r{co_await f(x), "s"};',
    'co_return of an expression': 'co_return g(co_await f(x));',
    'return of a member': 'co_return *co_await f(x);',
    'braced argument': 'co_await f({1, 2});',
    'aggregate argument': 'co_await f(Request{1, "x"});',
    'designated initialiser': 'co_await f({.a = 1});',
    'parenthesised aggregate': 'struct Pair { int a; int b; };\n co_await f(Pair(1, 2));',
    'lambda argument': 'co_await f([x] { return x; });',
    'captureless lambda argument': 'co_await f([](int a) { return a; });',
    'conditional argument': 'co_await f(a ? b : c);',
    'conditional await': 'auto r = a ? co_await f(x) : 0;',
    'and': 'bool r = co_await f(a && b);',
    'or': 'auto r = co_await f(x) || g();',
    'structured binding': 'auto [a, b] = co_await f(x);',
    'capturing coroutine lambda': 'auto l = [x]() -> Task<int> { co_return x; };',
    'reference capture': 'spawn([&]() -> Task<void> { co_await f(); }());',
    'this capture': 'auto l = [this]() -> Task<void> { co_await f(); };',
    'lock across': 'const std::lock_guard lock(m_);\n co_await f(x);',
    'own lock across': 'const MutexLock lock(mutex_);\n co_await f(x);',
    'lock with argument across': 'std::unique_lock<std::mutex> lock(m_);\n co_await f(x);',
    'lock across from outside': 'std::scoped_lock lock(m_);\n while (a) { co_await f(x); }',
    'over-aligned local': 'alignas(64) char buffer[64];\n co_await f(x);',
    'macro': '#define TRY(x) \\\n  co_await (x)\n g();',
    'generator': 'co_yield 1;',
}

DECLARATIONS_BAD = {
    'rvalue parameter': 'Task<int> f(std::string&& text);',
    'rvalue parameter of a member': 'Task<Result<int>> C::f(int a, T&& b) { co_return 1; }',
    'forwarding lambda': 'auto l = [](auto&& a) -> Task<void> { co_return; };',
}

DECLARATIONS_GOOD = {
    'by value and reference': 'Task<int> f(std::string text, const Handle& h, Cancel* c);',
    'constructor of the type': 'Task(Task&& other) noexcept : h_(other.h_) {}',
    'plain function': 'void g(Task<int>&& task);',
    'and in a body': 'Task<int> f(int a) { bool b = a && c; co_return b; }',
}


def in_coroutine(body):
    return 'Task<void> test(int x) {\n' + body + '\n}\n'


class Rules(unittest.TestCase):
    def test_good_statements_pass(self):
        for name, body in GOOD.items():
            with self.subTest(name):
                self.assertEqual(check.check_text(in_coroutine(body)), [])

    def test_bad_statements_are_refused(self):
        for name, body in BAD.items():
            with self.subTest(name):
                self.assertNotEqual(check.check_text(in_coroutine(body)), [])

    def test_declarations(self):
        for name, text in DECLARATIONS_GOOD.items():
            with self.subTest(name):
                self.assertEqual(check.check_text(text), [])
        for name, text in DECLARATIONS_BAD.items():
            with self.subTest(name):
                self.assertNotEqual(check.check_text(text), [])

    def test_bad_after_good_in_one_file_is_found_with_its_line(self):
        text = in_coroutine('co_await f(x);\n if (co_await g(x)) {\n h();\n }')
        self.assertEqual([line for line, _ in check.check_text(text)], [3])

    def test_aggregates_of_headers_count_elsewhere(self):
        text = in_coroutine('co_await f(Request(1, 2));')
        self.assertEqual(check.check_text(text), [])
        self.assertNotEqual(check.check_text(text, {'Request'}), [])

    def test_class_with_constructor_is_no_aggregate(self):
        text = 'struct Name { explicit Name(int a); };\n' + in_coroutine('co_await f(Name(1));')
        self.assertEqual(check.check_text(text), [])


if __name__ == '__main__':
    unittest.main()
