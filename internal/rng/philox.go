package rng

const (
	m0, m1 = 0xD2511F53, 0xCD9E8D57 // multipliers of the two halves
	a0, a1 = 0x9E3779B9, 0xBB67AE85 // what a round adds to the key
)

// philox is the block function of Philox 4x32 with ten rounds.
func philox(c [4]uint32, key [2]uint32) (w0, w1, w2, w3 uint32) {
	c0, c1, c2, c3 := c[0], c[1], c[2], c[3]
	k0, k1 := key[0], key[1]
	// Two rounds a turn: the words then change places without being moved.
	for range 5 {
		p0, p1 := uint64(c0)*m0, uint64(c2)*m1
		d0, d2 := uint32(p1>>32)^c1^k0, uint32(p0>>32)^c3^k1
		q0, q1 := uint64(d0)*m0, uint64(d2)*m1
		c0, c2 = uint32(q1>>32)^uint32(p1)^(k0+a0), uint32(q0>>32)^uint32(p0)^(k1+a1)
		c1, c3 = uint32(q1), uint32(q0)
		k0 += 2 * a0 & (1<<32 - 1)
		k1 += 2 * a1 & (1<<32 - 1)
	}
	return c0, c1, c2, c3
}

// philox2 is philox of c and of the counter after it, as four words of 64
// bits. A round waits for its multiplications; two blocks wait together.
func philox2(c [4]uint32, key [2]uint32) (w0, w1, w2, w3 uint64) {
	c0, c1, c2, c3 := c[0], c[1], c[2], c[3]
	d0, d1, d2, d3 := c[0]+1, c[1], c[2], c[3]
	k0, k1 := key[0], key[1]
	for range 10 {
		p0, p1 := uint64(c0)*m0, uint64(c2)*m1
		q0, q1 := uint64(d0)*m0, uint64(d2)*m1
		c0, c1, c2, c3 = uint32(p1>>32)^c1^k0, uint32(p1), uint32(p0>>32)^c3^k1, uint32(p0)
		d0, d1, d2, d3 = uint32(q1>>32)^d1^k0, uint32(q1), uint32(q0>>32)^d3^k1, uint32(q0)
		k0 += a0
		k1 += a1
	}
	return uint64(c0) | uint64(c1)<<32, uint64(c2) | uint64(c3)<<32,
		uint64(d0) | uint64(d1)<<32, uint64(d2) | uint64(d3)<<32
}
