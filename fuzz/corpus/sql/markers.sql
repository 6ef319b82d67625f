SELECT :a, :b, :a, ? FROM t WHERE x = :c -- :no
