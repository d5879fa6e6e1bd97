//go:build !purego

#include "textflag.h"

// func subWord(w uint32) uint32
// AESENCLAST with a zero round key is ShiftRows and SubBytes; on four equal
// words ShiftRows changes nothing, so any word of the result is SubWord(w).
TEXT ·subWord(SB), NOSPLIT, $0-12
	MOVL       w+0(FP), AX
	MOVD       AX, X0
	PSHUFD     $0, X0, X0
	PXOR       X1, X1
	AESENCLAST X1, X0
	MOVD       X0, AX
	MOVL       AX, ret+8(FP)
	RET

// func encryptCFB256(xk *roundKeys, fr *[16]byte, dst, src *byte, blocks int)
// One block depends on the one before it, so the time is that of 14 rounds
// in a row and of nothing else: X0 carries C[i-1] ^ k0, and k14 ^ k0 ^ P[i] as
// the last round key turns E(C[i-1]) into C[i] ^ k0 in that same round.
TEXT ·encryptCFB256(SB), NOSPLIT, $0-40
	MOVQ xk+0(FP), AX
	MOVQ fr+8(FP), BX
	MOVQ dst+16(FP), DI
	MOVQ src+24(FP), SI
	MOVQ blocks+32(FP), CX

	MOVOU 0(BX), X0
	MOVOU 16(AX), X1
	MOVOU 32(AX), X2
	MOVOU 48(AX), X3
	MOVOU 64(AX), X4
	MOVOU 80(AX), X5
	MOVOU 96(AX), X6
	MOVOU 112(AX), X7
	MOVOU 128(AX), X8
	MOVOU 144(AX), X9
	MOVOU 160(AX), X10
	MOVOU 176(AX), X11
	MOVOU 192(AX), X12
	MOVOU 208(AX), X13
	MOVOU 224(AX), X14
	MOVOU 0(AX), X15
	PXOR  X15, X0
	PXOR  X15, X14
	TESTQ CX, CX
	JZ    done

loop:
	AESENC     X1, X0
	AESENC     X2, X0
	AESENC     X3, X0
	AESENC     X4, X0
	AESENC     X5, X0
	AESENC     X6, X0
	AESENC     X7, X0
	MOVOU      (SI), X15
	PXOR       X14, X15
	AESENC     X8, X0
	AESENC     X9, X0
	AESENC     X10, X0
	AESENC     X11, X0
	AESENC     X12, X0
	AESENC     X13, X0
	AESENCLAST X15, X0
	MOVOU      0(AX), X15
	PXOR       X0, X15
	MOVOU      X15, (DI)
	ADDQ       $16, SI
	ADDQ       $16, DI
	DECQ       CX
	JNZ        loop

done:
	MOVOU 0(AX), X15
	PXOR  X15, X0
	MOVOU X0, (BX)

	// No round key stays behind in a register.
	PXOR X1, X1
	PXOR X2, X2
	PXOR X3, X3
	PXOR X4, X4
	PXOR X5, X5
	PXOR X6, X6
	PXOR X7, X7
	PXOR X8, X8
	PXOR X9, X9
	PXOR X10, X10
	PXOR X11, X11
	PXOR X12, X12
	PXOR X13, X13
	PXOR X14, X14
	PXOR X15, X15
	RET

#define ROUND8(op) \
	op X8, X0 \
	op X8, X1 \
	op X8, X2 \
	op X8, X3 \
	op X8, X4 \
	op X8, X5 \
	op X8, X6 \
	op X8, X7

// func decryptCFB8(xk *roundKeys, rounds int, fr *[16]byte, dst, src *byte, groups int)
// Eight blocks at a time: each needs only the ciphertext before it. All of
// a group is read before any of it is written, so dst may be src.
TEXT ·decryptCFB8(SB), NOSPLIT, $0-48
	MOVQ  xk+0(FP), AX
	MOVQ  rounds+8(FP), DX
	MOVQ  fr+16(FP), BX
	MOVQ  dst+24(FP), DI
	MOVQ  src+32(FP), SI
	MOVQ  groups+40(FP), CX
	TESTQ CX, CX
	JZ    out

group:
	MOVOU (BX), X0
	MOVOU 0(SI), X1
	MOVOU 16(SI), X2
	MOVOU 32(SI), X3
	MOVOU 48(SI), X4
	MOVOU 64(SI), X5
	MOVOU 80(SI), X6
	MOVOU 96(SI), X7
	MOVOU 0(AX), X8
	ROUND8(PXOR)
	LEAQ  16(AX), R8
	LEAQ  -1(DX), R9

round:
	MOVOU (R8), X8
	ROUND8(AESENC)
	ADDQ  $16, R8
	DECQ  R9
	JNZ   round
	MOVOU (R8), X8
	ROUND8(AESENCLAST)

	MOVOU 0(SI), X8
	MOVOU 16(SI), X9
	MOVOU 32(SI), X10
	MOVOU 48(SI), X11
	MOVOU 64(SI), X12
	MOVOU 80(SI), X13
	MOVOU 96(SI), X14
	MOVOU 112(SI), X15
	MOVOU X15, (BX)
	PXOR  X8, X0
	PXOR  X9, X1
	PXOR  X10, X2
	PXOR  X11, X3
	PXOR  X12, X4
	PXOR  X13, X5
	PXOR  X14, X6
	PXOR  X15, X7
	MOVOU X0, 0(DI)
	MOVOU X1, 16(DI)
	MOVOU X2, 32(DI)
	MOVOU X3, 48(DI)
	MOVOU X4, 64(DI)
	MOVOU X5, 80(DI)
	MOVOU X6, 96(DI)
	MOVOU X7, 112(DI)
	ADDQ  $128, SI
	ADDQ  $128, DI
	DECQ  CX
	JNZ   group

out:
	RET
