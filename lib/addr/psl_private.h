/*
 * psl_private.h - the compiled form, for psl.c and psl_build.c
 *
 * Key: a rule's name without "*." and "!". Value: one octet of the bits below.
 * Key "" (no name is empty): PSL_VERSION, then a tuple line with the number of
 * rules and the source's time and size.
 */
#ifndef ADDR_PSL_PRIVATE_H
#define ADDR_PSL_PRIVATE_H

#define PSL_VERSION "pneu-psl 1\n"

/* Shifted left by PSL_BITS for the private section. */
enum psl_bits { PSL_PLAIN = 1, PSL_WILD = 2, PSL_EXCEPT = 4, PSL_BITS = 3 };

#endif
