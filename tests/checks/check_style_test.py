#!/usr/bin/env python3
"""scripts/check-style on texts that are right or wrong in one way each."""
import unittest

from load_script import load_script

check = load_script('check-style')

HEADER = '// What it is.\n#pragma once\n'
SOURCE = '// See a.h.\n#include "a.h"\n'


class Style(unittest.TestCase):
    def assert_problem(self, name, text, words):
        problems, _ = check.check_text(name, text)
        self.assertEqual(len(problems), 1, problems)
        self.assertIn(words, problems[0])

    def assert_fine(self, name, text):
        self.assertEqual(check.check_text(name, text), ([], []))

    def test_fine_files_pass(self):
        self.assert_fine('a.h', HEADER)
        self.assert_fine('a.cc', SOURCE)
        self.assert_fine('run', '#!/usr/bin/env bash\n# Runs.\nset -e\n')
        self.assert_fine('a.py', '#!/usr/bin/env python3\n"""What it is."""\n')
        self.assert_fine('__init__.py', '"""What it is."""\n')

    def test_a_file_opens_with_a_comment(self):
        self.assert_problem('a.cc', '#include "a.h"\n', 'does not open')
        self.assert_problem('a.h', '#pragma once\n// Late.\n', 'does not open')
        self.assert_problem('run', '#!/bin/sh\nset -e\n', 'does not open')

    def test_a_header_has_pragma_once(self):
        self.assert_problem('a.h', '// What it is.\n', '#pragma once')

    def test_a_header_opens_no_namespace_for_others(self):
        self.assert_problem('a.h', HEADER + 'using namespace std;\n', 'using namespace')
        self.assert_fine('a.cc', SOURCE + 'using namespace std::chrono_literals;\n')

    def test_lines_are_bounded(self):
        self.assert_fine('a.cc', SOURCE + '/' * 100 + '\n')
        self.assert_problem('a.cc', SOURCE + '/' * 101 + '\n', '101 columns')
        table = '// clang-format off\n' + '/' * 130 + '\n// clang-format on\n'
        self.assert_fine('a.cc', SOURCE + table)
        self.assert_problem('a.cc', SOURCE + table + '/' * 130 + '\n', '130 columns')

    def test_files_are_bounded(self):
        self.assertEqual(len(check.check_text('a.cc', SOURCE + '\n' * 450)[1]), 1)
        self.assert_problem('a.cc', SOURCE + '\n' * 600, '602 lines')

    def test_white_space(self):
        self.assert_problem('a.cc', SOURCE + '\tint a;\n', 'a tab')
        self.assert_problem('a.cc', SOURCE + 'int a; \n', 'end of the line')
        self.assert_problem('a.cc', SOURCE + 'int a;', 'line feed')

    def test_postponed_work_is_refused(self):
        for word in ('TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'):
            self.assert_problem('a.cc', SOURCE + f'// {word}: later\n', 'postponed')
        self.assert_fine('a.cc', SOURCE + '// mkstemp fills XX' + 'XXXX in\n')

    def test_paths_of_one_machine_are_refused(self):
        for path in ('/ho' + 'me/karl/src', '/wo' + 'rk/main', '/ro' + 'ot/x', '/tmp/' + 'b-x'):
            self.assert_problem('a.md', f'see {path}.\n', 'one machine')
        for text in ('/home/user/x', 'host:/home/alice', 'net/work/x', '/workers', '/homeless',
                     'https://example.org/root/x', '/rootless',
                     '/root/.ssh/id_ed25519'):
            self.assert_fine('a.md', f'see {text}.\n')

    def test_shell_scripts_are_recognised(self):
        for line in ('#!/bin/sh', '#!/usr/bin/env bash', '#!/bin/bash -e'):
            self.assertTrue(check.is_shell(line + '\n'), line)
        for line in ('#!/usr/bin/env python3', '# sh', ''):
            self.assertFalse(check.is_shell(line + '\n'), line)


if __name__ == '__main__':
    unittest.main()
