#!/usr/bin/python3
"""The test suites of openspf.org for RFC 7208 and for RFC 4408, which allows what
RFC 7208 demands wherever they differ: spf-check against a name server that
serves each section's zone; one TAP line a case. Each case is judged by the face
for people, by the filter and by the worker, which must say the same."""
import os, subprocess, sys, tempfile
try:
    import yaml
except ImportError:
    print('1..0 # SKIP no python3-yaml')
    sys.exit(0)

for vectors in (os.environ.get('PNEU_VECTORS'), '../shared/vectors',
                '../../shared/vectors'):
    suite = vectors and vectors + '/spf/rfc%s-tests.yml'
    if suite and os.path.exists(suite % '7208'):
        break
else:
    print('1..0 # SKIP no test vectors')
    sys.exit(0)
tmp = tempfile.TemporaryDirectory()


def quote(s):
    """A tuple value; the suite writes bytes as characters below U+0100."""
    return '"' + ''.join(chr(b) if 0x20 <= b < 0x7f and b not in b'"\\'
                         else '\\x%02x' % b
                         for b in s.encode('latin-1')) + '"'


def record(name, kind, value):
    if kind == 'MX':
        values = ['%d %s' % (value[0], value[1] or '.')]
    elif isinstance(value, list):
        values = value or ['']
    else:
        values = [str(value)]
    # Lines of YAML are folded: no blank may be lost.
    return 'rr name=%s type=%s %s\n' % (
        quote(name), kind, ' '.join('value=' + quote(v) for v in values))


def zone(data):
    """SPF records stand for TXT unless TXT is given ("auto-magic
    duplication"); TIMEOUT answers for what the entries before it lack. A
    resolver that meets a silent server says SERVFAIL."""
    out = ''
    for name, entries in data.items():
        name = str(name)
        txt = any(isinstance(e, dict) and 'TXT' in e for e in entries)
        for e in entries:
            if e == 'TIMEOUT':
                out += 'act name=%s do=servfail\n' % quote(name)
                continue
            (kind, value), = e.items()
            if kind == 'SPF':
                if txt:
                    continue
                kind = 'TXT'
            if value == 'NONE':
                continue
            out += record(name, kind, value)
    return out


spf_check = os.environ['PNEU_BIN'] + '/spf-check'


def value(line, name):
    """An attribute of a tuple line, as written; None if it is not there."""
    at = line.find(' ' + name + '=')
    if at == -1:
        return None
    v = line[at + len(name) + 2:]
    if v[0] != '"':
        return v.split(' ')[0]
    return v[1:v.index('" ' if '" ' in v[1:] else '"', 1)]


def run(argv, text=None):
    p = subprocess.run(argv, stdout=subprocess.PIPE, input=text)
    return p.returncode, p.stdout.decode()


def records(text):
    """The spf lines of an envelope."""
    return [line for line in text.split('\n\n')[0].splitlines()
            if line.startswith('spf ')]


def faces(server, case, lines):
    """The filter and the worker add what people see."""
    job = 'job id=abcdefghabcdefgh size=0 time=1700000000\n' \
        'client ip=%s helo=%s\nfrom addr=%s\n\n' % (
            quote(case['host']), quote(case['helo']), quote(case['mailfrom']))
    for name, argv in (
            ('filter', [spf_check]),
            ('worker', [os.environ['PNEU_TOOLS'] + '/job-worker', spf_check])):
        code, out = run(argv + ['-s', server], job.encode())
        if code != 0 or records(out) != lines:
            return 'as a %s: %d, %s' % (name, code, out)


def check(server, case):
    code, out = run([spf_check, '-n', '-s', server, '-i', case['host'], '-H',
                     case['helo'], '-f', case['mailfrom']])
    lines = out.splitlines()
    last = lines[-1]
    got = value(last, 'result')
    want = case['result']
    if got not in (want if isinstance(want, list) else [want]):
        return 'want %s, got %s' % (want, last)
    # An exit code says the same.
    if (code == 0) != (got == 'pass'):
        return 'exit %d of %s' % (code, last)
    want = case.get('explanation')
    if want == 'DEFAULT':
        want = None
    if 'explanation' in case and \
            (want or '').lower() != (value(last, 'explanation') or '').lower():
        return 'want explanation %s, got %s' % (want, last)
    return faces(server, case, lines)


n = 0
for rfc in ('7208', '4408'):
    before = n
    for section, part in enumerate(yaml.safe_load_all(open(suite % rfc))):
        path = '%s/%s.%d' % (tmp.name, rfc, section)
        with open(path, 'w') as f:
            f.write(zone(part['zonedata']))
        fake = subprocess.Popen([os.environ['PNEU_TOOLS'] + '/dnsfake', path],
                                stdout=subprocess.PIPE)
        port = fake.stdout.readline().decode().split()[1]
        for name, case in part['tests'].items():
            n += 1
            trouble = check('127.0.0.1:' + port, case)
            print('%s %d - RFC %s %s' % ('not ok' if trouble else 'ok', n, rfc,
                                         name))
            if trouble:
                print('# ' + trouble)
        fake.terminate()
        fake.wait()
    print('# RFC %s: %d' % (rfc, n - before))
print('# %d cases' % n)
print('1..%d' % n)
