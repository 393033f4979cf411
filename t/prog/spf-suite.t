#!/usr/bin/python3
"""The RFC 7208 test suite of openspf.org: spf-check against a name server that
serves each section's zone; one TAP line a case."""
import os, subprocess, sys, tempfile
try:
    import yaml
except ImportError:
    print('1..0 # SKIP no python3-yaml')
    sys.exit(0)

for vectors in (os.environ.get('PNEU_VECTORS'), '../shared/vectors',
                '../../shared/vectors'):
    suite = vectors and vectors + '/spf/rfc7208-tests.yml'
    if suite and os.path.exists(suite):
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


def check(server, case):
    p = subprocess.run(
        [os.environ['PNEU_BIN'] + '/spf-check', '-n', '-s', server, '-i',
         case['host'], '-H', case['helo'], '-f', case['mailfrom']],
        stdout=subprocess.PIPE)
    last = p.stdout.decode().splitlines()[-1]
    got = {}
    for name in ('result', 'explanation'):
        at = last.find(' ' + name + '=')
        if at == -1:
            continue
        v = last[at + len(name) + 2:]
        got[name] = v[1:v.index('" ' if '" ' in v[1:] else '"', 1)] \
            if v[0] == '"' else v.split(' ')[0]
    want = case['result']
    if got.get('result') not in (want if isinstance(want, list) else [want]):
        return 'want %s, got %s' % (want, last)
    # An exit code says the same.
    if (p.returncode == 0) != (got['result'] == 'pass'):
        return 'exit %d of %s' % (p.returncode, last)
    want = case.get('explanation')
    if want == 'DEFAULT':
        want = None
    if 'explanation' in case and \
            (want or '').lower() != got.get('explanation', '').lower():
        return 'want explanation %s, got %s' % (want, last)


n = 0
for section, part in enumerate(yaml.safe_load_all(open(suite))):
    path = '%s/%d' % (tmp.name, section)
    with open(path, 'w') as f:
        f.write(zone(part['zonedata']))
    fake = subprocess.Popen([os.environ['PNEU_TOOLS'] + '/dnsfake', path],
                            stdout=subprocess.PIPE)
    port = fake.stdout.readline().decode().split()[1]
    for name, case in part['tests'].items():
        n += 1
        trouble = check('127.0.0.1:' + port, case)
        print('%s %d - %s' % ('not ok' if trouble else 'ok', n, name))
        if trouble:
            print('# ' + trouble)
    fake.terminate()
    fake.wait()
print('1..%d' % n)
