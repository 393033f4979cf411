#!/usr/bin/python3
"""200 records with what they need in the DNS, made from a fixed seed, judged by
spf-check and by spfquery (Mail::SPF), which ask the same name server. Both must
say the same, down to the text of an explanation. Where Mail::SPF is not what
RFC 7208 says, a scenario states the cause and both answers, which are checked,
too."""
import ipaddress, os, random, shutil, subprocess, sys, tempfile
from collections import Counter

CASES = 200
BIN, TOOLS = os.environ['PNEU_BIN'], os.environ['PNEU_TOOLS']
PEER = 'spfquery.mail-spf-perl'
NO_TEXT = 'none-given'  # what it says of a fail without explanation

if not shutil.which(PEER):
    print('1..0 # SKIP no %s' % PEER)
    sys.exit(0)


class Answer:
    def __init__(self, result, text=''):
        self.result, self.text = result, text

    def __eq__(self, other):
        return (self.result, self.text.lower()) == \
            (other.result, other.text.lower())

    def __str__(self):
        return self.result + (' "%s"' % self.text if self.text else '')

tmp = tempfile.TemporaryDirectory()
rnd = random.Random(7208)


def below(n):
    return int(rnd.random() * n)


def pick(of):
    return of[below(len(of))]


def chance(percent):
    return rnd.random() * 100 < percent


class Scenario:
    """A domain cN.test, its zone, a client and a sender."""

    def __init__(self, number, theme):
        self.number, self.theme = number, theme
        self.domain = 'c%d.test' % number
        self.zone, self.names = [], 0
        self.round = number // THEMES
        self.empty = 2  # MX hosts without an address, see t_mx_many
        self.cause = self.want = self.theirs = None
        self.six = chance(35)
        self.ip = '2001:db8:%x::7' % number if self.six else \
            '10.20.%d.7' % number
        self.local = pick(['ann', 'strong-bad', 'a.b.c', 'x+y-z', 'u=w',
                           'postmaster'])
        self.helo = 'mx.' + self.domain
        self.identity = 'mailfrom'

    def rr(self, name, type, value):
        self.zone.append('rr name=%s type=%s value="%s"\n' % (
            name, type, value.replace('\\', '\\\\').replace('"', '\\"')))

    def record(self, name, terms):
        self.rr(name, 'TXT', ' '.join(['v=spf1'] + terms))

    def name(self):
        self.names += 1
        return 'n%d.%s' % (self.names, self.domain)

    def address(self, how):
        """Of the client's kind: the same, one of its network, another."""
        if self.six:
            return {'same': self.ip,
                    'near': '2001:db8:%x::99' % self.number,
                    'far': '2001:db8:ffff::1'}[how]
        return {'same': self.ip, 'near': '10.20.%d.99' % self.number,
                'far': '198.51.100.1'}[how]

    def host(self, how=None, name=None):
        """A name with addresses of both kinds, or one, or none."""
        name = name or self.name()
        how = how or pick(['same', 'near', 'near', 'far', 'far', 'other',
                           'none', 'cname'])
        mine, other = ('AAAA', 'A') if self.six else ('A', 'AAAA')
        if how == 'cname':
            target = self.host('same')
            self.rr(name, 'CNAME', target)
            return name
        if how == 'none':
            return name
        if how != 'other':
            self.rr(name, mine, self.address(how))
        if how == 'other' or chance(30):
            self.rr(name, other, '198.51.100.9' if self.six else
                    '2001:db8:ffff::9')
        return name

    def bits(self):
        """A dual prefix length, wide enough for `near' or not, or none."""
        four = pick(['', '', '/32', '/24', '/25', '/26', '/0', '/8'])
        six = pick(['', '', '//128', '//64', '//120', '//121', '//0'])
        return four + six

    def network(self):
        how = pick(['same', 'near', 'far'])
        if chance(15):  # of the other kind
            return 'ip4:198.51.100.0/24' if self.six else 'ip6:2001:db8::/32'
        if self.six:
            return 'ip6:%s%s' % (self.address(how), pick(
                ['', '/128', '/64', '/120', '/121', '/32', '/1']))
        return 'ip4:%s%s' % (self.address(how), pick(
            ['', '/32', '/24', '/25', '/26', '/16', '/1']))

    def mx(self, name=None):
        name = name or self.name()
        for i in range(below(4) + 1):
            how = pick(['same', 'near', 'far', 'far'])
            if self.theme is t_mx and self.empty > 0 and chance(20):
                self.empty -= 1
                how = pick(['other', 'none'])
            self.rr(name, 'MX', '%d %s' % ((i + 1) * 10, self.host(how)))
        return name

    def differs(self, cause, want, theirs):
        self.cause, self.want, self.theirs = cause, want, theirs

    def reverse(self, names):
        """What the client's address is called."""
        if self.six:
            arpa = ipaddress.ip_address(self.ip).reverse_pointer
        else:
            arpa = '.'.join(reversed(self.ip.split('.'))) + '.in-addr.arpa'
        for n in names:
            self.rr(arpa, 'PTR', n)

    # Macros, section 7: written down with what they stand for.
    def value(self, letter):
        if letter == 'i' and self.six:
            return '.'.join(ipaddress.ip_address(self.ip).exploded
                            .replace(':', ''))
        return {'s': self.local + '@' + self.domain, 'l': self.local,
                'o': self.domain, 'd': self.domain, 'i': self.ip,
                'v': 'ip6' if self.six else 'in-addr',
                'h': self.helo}[letter]

    def macro(self, letters):
        letter = pick(letters)
        digits = pick(['', '', '1', '2', '3'])
        reverse = pick(['', '', 'r'])
        marks = pick(['', '', '-', '+', '.-', '+-=', '.'])
        if marks and not digits and not reverse:  # see t_macro_a
            digits = '3'
        parts = [self.value(letter)]
        for m in marks or '.':
            parts = [q for p in parts for q in p.split(m)]
        if reverse:
            parts.reverse()
        if digits:
            parts = parts[-int(digits):]
        return '%%{%s%s%s%s}' % (letter, digits, reverse, marks), \
            '.'.join(parts)

    def macros(self, letters):
        """A domain-spec of one to three macros, and the name it gives."""
        spec, name = [], []
        for i in range(below(3) + 1):
            s, n = self.macro(letters)
            spec.append(s)
            name.append(n)
        tail = '.m.' + self.domain
        return '.'.join(spec) + tail, '.'.join(name) + tail

    # Terms.
    def term(self, kind):
        qualifier = pick(['', '', '+', '-', '~', '?'])
        return qualifier + getattr(self, 'do_' + kind)()

    def do_all(self):
        return pick(['all', 'ALL'])

    def do_net(self):
        return self.network()

    def do_a(self):
        if chance(15):
            self.host(pick(['same', 'near', 'far']), self.domain)
            return 'a' + self.bits()
        return 'a:' + self.host() + self.bits()

    def do_mx(self):
        if chance(15):
            self.mx(name=self.domain)
            return 'mx' + self.bits()
        return 'mx:' + self.mx() + self.bits()

    def do_exists(self):
        if chance(30):
            return 'exists:' + self.host(pick(['same', 'none']))
        spec, name = self.macros('lodivh')
        if chance(60):
            self.rr(name, 'A', '127.0.0.2')
        return 'exists:' + spec

    def do_amacro(self):
        spec, name = self.macros('lodivh')
        if chance(70):
            self.host(pick(['same', 'near', 'far']), name)
        return 'a:' + spec + self.bits()

    def do_ptr(self):
        return pick(['ptr', 'ptr:p.' + self.domain, 'ptr:test',
                     'ptr:c.example'])

    def do_p(self):
        return 'exists:%{p}.v.' + self.domain

    def do_include(self):
        name = self.name()
        self.record(name, [self.term(pick(SIMPLE)) for _ in range(below(2) + 1)]
                    + pick([[], ['-all'], ['~all'], ['?all'], ['all']]))
        return 'include:' + name

    def do_bad(self):
        return pick(['ip4:1.2.3', 'ip4:1.2.3.4/33', 'ip6:1::g', 'a:', 'a/33',
                     'include', 'exists', 'exists:%{', 'exists:%{z}.test',
                     'a:%{d0}.test', 'mx//129', 'ip4', 'all:x', 'foo',
                     'a:x.test/', 'ptr/24', 'foo:bar', 'exists:%(d).test', '-',
                     'ip6:1::/129', 'include:a..%', 'a:x.1'])


SIMPLE = ['net', 'a', 'mx', 'exists', 'amacro']


def simple(s, n, kinds=SIMPLE):
    return [s.term(pick(kinds)) for _ in range(n)]


def ending():
    return pick([['-all'], ['~all'], ['?all'], [], ['-all']])


# Themes: each adds the scenario's records.
def t_network(s):
    s.record(s.domain, simple(s, below(4) + 1, ['net']) + ending())


def t_a(s):
    s.record(s.domain, simple(s, below(3) + 1, ['a']) + ending())


def t_mx(s):
    s.record(s.domain, simple(s, below(3) + 1, ['mx']) + ending())


def t_exists(s):
    if s.round in (8, 9):  # longer than a name can be: labels go at the left
        times = 30 + below(20)
        name = 'x.' + (s.value('l') + '.') * times + 'l.' + s.domain
        while len(name) > 253:
            name = name.split('.', 1)[1]
        s.rr(name, 'A', '127.0.0.2')
        s.record(s.domain, ['?exists:x.' + '%{l}.' * times + 'l.%{d}', '-all'])
        return
    s.record(s.domain, simple(s, below(2) + 1, ['exists']) + ending())


def t_macro_a(s):
    if s.round in (8, 9):
        s.host('same', 'test.c%d.%s' % (s.number, s.domain))
        s.record(s.domain, ['~a:%{dR}.%{d}', '-all'])
        s.differs(UPPER, Answer('softfail'), Answer('permerror'))
        return
    if s.round == 7:
        s.local = 'strong-bad'
        s.host('same', 'strong.bad.m.' + s.domain)
        s.record(s.domain, ['a:%{l-}.m.%{d}', '-all'])
        s.differs('%{l-} of strong-bad is strong.bad (section 7.4); Mail::SPF '
                  'splits only where digits or r stand, too',
                  Answer('pass'), Answer('fail'))
        return
    s.record(s.domain, simple(s, below(2) + 1, ['amacro']) + ending())


def t_mixed(s):
    s.record(s.domain, simple(s, below(5) + 1) + ending())


def names_of_client(s):
    n = below(4)
    if n == 0:
        return
    names = [pick(['p.', '', 'w.p.']) + s.domain if chance(60) else
             'h%d.c.example' % s.number for _ in range(n)]
    names = sorted(set(names))
    for name in names:
        s.host(pick(['same', 'same', 'far']), name)
    s.reverse(names)


def t_ptr(s):
    names_of_client(s)
    s.record(s.domain, simple(s, below(2) + 1, ['ptr']) + ending())


def t_validated(s):
    names_of_client(s)
    for name in (s.domain, 'p.' + s.domain, 'w.p.' + s.domain, 'unknown',
                 'h%d.c.example' % s.number):
        if chance(50):
            s.rr(name + '.v.' + s.domain, 'A', '127.0.0.2')
    s.record(s.domain, simple(s, 1, ['p']) + ending())


def t_include(s):
    s.record(s.domain, simple(s, below(2) + 1, ['include']) +
             simple(s, below(2)) + ending())


def t_include_odd(s):
    """Of what has no record, two, a bad one, or none at all now."""
    name = s.name()
    how = pick(['none', 'two', 'bad', 'servfail', 'deep', 'fail'])
    if how == 'two':
        s.record(name, ['all'])
        s.record(name, ['-all'])
    elif how == 'bad':
        s.record(name, [s.do_bad(), 'all'])
    elif how == 'servfail':
        s.zone.append('act name=%s do=servfail\n' % name)
    elif how == 'deep':
        s.record(name, [s.do_include(), '-all'])
    elif how == 'fail':
        s.record(name, ['-all', 'exp=e.' + s.domain])
        s.rr('e.' + s.domain, 'TXT', 'not this text')
    s.record(s.domain, [pick(['', '-', '?']) + 'include:' + name] + ending())


def t_redirect(s):
    name = s.name()
    s.record(s.domain, simple(s, below(2)) + ['redirect=' + name])
    s.record(name, simple(s, below(3) + 1) + ending())


def t_redirect_odd(s):
    name = s.name()
    how = pick(['none', 'loop', 'macro', 'all', 'twice', 'servfail'])
    if how == 'loop':
        s.record(s.domain, ['redirect=' + s.domain])
    elif how == 'macro':
        s.record(s.domain, ['redirect=%{d1r}.%{d}'])
        s.record('test.' + s.domain, simple(s, 1) + ending())
    elif how == 'all':
        s.record(s.domain, ['redirect=' + name, pick(['-', '?']) + 'all'])
        s.record(name, ['+all'])
    elif how == 'twice':
        s.record(s.domain, ['redirect=' + name, 'redirect=' + name])
        s.record(name, ['+all'])
    else:
        if how == 'servfail':
            s.zone.append('act name=%s do=servfail\n' % name)
        s.record(s.domain, simple(s, below(2), ['net']) + ['redirect=' + name])


def t_lookups(s):
    """Nine to twelve terms that ask, with answers; the last matches."""
    n = 9 + s.round % 4
    terms = ['a:' + s.host('far') for _ in range(n - 1)]
    if chance(50):
        inner = s.name()
        s.record(inner, terms[:4] + ['-all'])
        terms = ['include:' + inner] + terms[5:]
    s.record(s.domain, terms + ['a:' + s.host('same'), '-all'])


def t_voids(s):
    """One to four terms without an answer before one that matches."""
    n = 1 + s.round % 4
    s.record(s.domain, [pick(['a:', 'mx:', 'exists:']) + s.host('none')
                        for _ in range(n)] + ['a:' + s.host('same'), '-all'])


def t_mx_many(s):
    """Nine to twelve hosts, of which the last has the address; or four."""
    n = 4 if s.round == 9 else 9 + s.round % 4
    name = s.name()
    for i in range(n):
        s.rr(name, 'MX', '%d %s' % (i + 10, s.host(
            'same' if i == n - 1 else 'none' if n == 4 else 'far')))
    s.record(s.domain, ['mx:' + name, '-all'])
    if n > 10:
        s.differs('more than ten hosts of an MX answer are a permerror '
                  '(section 4.6.4); Mail::SPF takes the first ten, as RFC 4408 said',
                  Answer('permerror'), Answer('fail'))
    elif n == 4:
        s.differs('a limit of terms without an answer (section 4.6.4); '
                  'Mail::SPF counts each MX host without an address',
                  Answer('pass'), Answer('permerror'))


UPPER = 'the r of a macro may be R (section 7.1: strings of an ABNF have no ' \
    'case); Mail::SPF takes this for a bad macro'


def t_explanation(s):
    if s.round == 9:
        s.record(s.domain, ['-all', 'exp=e.' + s.domain])
        s.rr('e.' + s.domain, 'TXT', 'not %{dR}')
        s.differs(UPPER, Answer('fail', 'not test.c%d' % s.number),
                  Answer('fail'))
        return
    s.record(s.domain, ['-all', 'exp=e.' + s.domain])
    text = ' '.join(s.macro('slodvh')[0] for _ in range(below(3) + 1))
    s.rr('e.' + s.domain, 'TXT', pick(['%%{c} may not: %s', '%s%%_%%%%%%-',
                                       'See http://x.test/?%s&%%{S}']) % text)


def t_explanation_odd(s):
    how = pick(['none', 'two', 'macro', 'bad', 'redirect', 'include'])
    if how == 'redirect':
        s.record(s.domain, ['exp=e.' + s.domain, 'redirect=r.' + s.domain])
        s.record('r.' + s.domain, ['-all', 'exp=f.' + s.domain])
        s.rr('f.' + s.domain, 'TXT', 'of the other: %{d}')
    elif how == 'include':
        s.record(s.domain, ['-include:i.' + s.domain, 'exp=e.' + s.domain])
        s.record('i.' + s.domain, ['all', 'exp=f.' + s.domain])
        s.rr('f.' + s.domain, 'TXT', 'of the other: %{d}')
    elif how == 'macro':
        spec, name = s.macros('lodivh')
        s.record(s.domain, ['-all', 'exp=' + spec])
        s.rr(name, 'TXT', 'by a macro')
    else:
        s.record(s.domain, ['-all', 'exp=e.' + s.domain])
    if how == 'two':
        s.rr('e.' + s.domain, 'TXT', 'one')
        s.rr('e.' + s.domain, 'TXT', 'two')
    elif how == 'bad':
        s.rr('e.' + s.domain, 'TXT', 'a bad %{macro')
    elif how in ('redirect', 'include'):
        s.rr('e.' + s.domain, 'TXT', 'of the first: %{d}')


def t_syntax(s):
    if s.round == 9:
        s.record(s.domain, ['all', 'exists:%{z}.test'])
        s.differs('an error anywhere in a record counts (section 4.6); '
                  'Mail::SPF looks at macros only where it comes to them',
                  Answer('permerror'), Answer('pass'))
        return
    terms, bad = simple(s, below(2)) + ['all'], s.term('bad')
    at = 0 if '%' in bad else below(len(terms) + 1)
    s.record(s.domain, terms[:at] + [bad] + terms[at:])


def t_selection(s):
    """Which TXT is the record."""
    how = pick(['none', 'two', 'case', 'other', 'prefix', 'bare', 'blanks',
                'strings', 'modifier', 'servfail'])
    if how == 'two':
        s.record(s.domain, ['all'])
        s.record(s.domain, ['-all'])
    elif how == 'case':
        s.rr(s.domain, 'TXT', 'V=SPF1 %s -ALL' % s.network())
    elif how == 'other':
        s.rr(s.domain, 'TXT', 'some-verification=1234')
        s.record(s.domain, simple(s, 1) + ending())
    elif how == 'prefix':
        s.rr(s.domain, 'TXT', 'v=spf10 all')
    elif how == 'bare':
        s.rr(s.domain, 'TXT', 'v=spf1')
    elif how == 'blanks':
        s.rr(s.domain, 'TXT', 'v=spf1   %s    -all  ' % s.network())
    elif how == 'strings':
        s.zone.append('rr name=%s type=TXT value="v=spf1 %s" value=" -al" '
                      'value=l\n' % (s.domain, s.network()))
    elif how == 'modifier':
        s.record(s.domain, ['moo.cow=%{d}', s.network(), 'about=x', '-all'])
    elif how == 'servfail':
        s.zone.append('act name=%s do=servfail\n' % s.domain)


def t_helo(s):
    """The null sender: HELO is what is judged."""
    s.identity, s.local = 'helo', 'postmaster'
    s.helo = s.domain
    s.record(s.domain, simple(s, below(2) + 1) + ending())


ALL = [t_network, t_a, t_mx, t_exists, t_macro_a, t_mixed, t_ptr, t_validated,
       t_include, t_include_odd, t_redirect, t_redirect_odd, t_lookups, t_voids,
       t_mx_many, t_explanation, t_explanation_odd, t_syntax, t_selection,
       t_helo]
THEMES = len(ALL)


def ask(argv, text=None):
    return subprocess.run(argv, input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL,
                          universal_newlines=True).stdout


def attribute(line, name):
    at = line.find(' %s=' % name)
    if at == -1:
        return ''
    v = line[at + len(name) + 2:]
    if not v.startswith('"'):
        return v.split(' ')[0]
    out, i = '', 1
    while v[i] != '"':
        i += v[i] == '\\'
        out += v[i]
        i += 1
    return out


def ours(server, s):
    sender = '' if s.identity == 'helo' else s.local + '@' + s.domain
    out = ask([BIN + '/spf-check', '-n', '-s', server, '-i', s.ip, '-H', s.helo,
               '-f', sender])
    line = [x for x in out.splitlines() if x.startswith('spf ')][-1]
    return Answer(attribute(line, 'result'), attribute(line, 'explanation'))


def theirs(scenarios, identity):
    """By scenario's number. Four lines each: result, explanation, ..."""
    of = [s for s in scenarios if s.identity == identity]
    text = ''.join('%s %s %s\n' % (
        s.ip, s.domain if identity == 'helo' else s.local + '@' + s.domain,
        s.helo) for s in of)
    out = ask([PEER, '--scope', 'helo' if identity == 'helo' else 'mfrom',
               '--default-explanation', NO_TEXT, '--hostname', 'unknown',
               '--file', '-'], text).splitlines()
    answers = {}
    for i, s in enumerate(of):
        result, why = (out[4 * i:4 * i + 2] + ['', ''])[:2]
        answers[s.number] = Answer(result, why if result == 'fail' and
                                   why != NO_TEXT else '')
    return answers


def judge(s, mine, peer):
    """What is wrong, or None."""
    if s.cause:
        if mine == s.want and peer == s.theirs:
            return None
        return 'want %s, and %s of spfquery; got %s, %s' % (
            s.want, s.theirs, mine, peer)
    return None if mine == peer else 'spf-check: %s; spfquery: %s' % (
        mine, peer)


def scenario(number):
    s = Scenario(number, ALL[number % THEMES])
    s.theme(s)
    return s


scenarios = [scenario(i) for i in range(CASES)]
with open(tmp.name + '/zone', 'w') as f:
    for s in scenarios:
        f.write(''.join(s.zone))
fake = subprocess.Popen([TOOLS + '/dnsfake', tmp.name + '/zone'],
                        stdout=subprocess.PIPE)
port = fake.stdout.readline().decode().split()[1]
os.environ['RES_NAMESERVERS'] = '127.0.0.1'
os.environ['RES_OPTIONS'] = 'port:' + port
try:
    peer = theirs(scenarios, 'mailfrom')
    peer.update(theirs(scenarios, 'helo'))
    mine = [ours('127.0.0.1:' + port, s) for s in scenarios]
finally:
    fake.terminate()
    fake.wait()
for s, answer in zip(scenarios, mine):
    trouble = judge(s, answer, peer[s.number])
    print('%sok %d - %s %d: %s' % (
        'not ' if trouble else '', s.number + 1, s.theme.__name__[2:], s.round,
        answer.result))
    if trouble:
        print('# %s\n# %s %s\n# %s' % (trouble, s.ip, s.local,
                                      '# '.join(s.zone)))
for cause, n in Counter(s.cause for s in scenarios if s.cause).items():
    print('# %d differ: %s' % (n, cause))
results = Counter(a.result for a in mine)
print('# ' + ', '.join('%s %d' % r for r in sorted(results.items())))
print('%sok %d - every result there is' % (
    '' if len(results) == 7 else 'not ', CASES + 1))
print('# %d cases' % CASES)
print('1..%d' % (CASES + 1))
