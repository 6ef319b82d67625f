//! Queries 1, 3 and 6 of the TPC-H benchmark with their validation parameters, against sums made here in integers.

use std::collections::BTreeMap;

use tpchgen::dates::TPCHDate;
use tpchgen::generators::{CustomerGenerator, LineItem, LineItemGenerator, OrderGenerator};

use crate::engine_support::{run, session};

const SCALE_FACTOR: f64 = 0.01;

fn line_items() -> impl Iterator<Item = LineItem<'static>> {
    LineItemGenerator::new(SCALE_FACTOR, 1, 1).iter()
}

/// Days since 1970.
fn days(date: TPCHDate) -> i32 {
    date.to_unix_epoch()
}

const fn day(year: i32, month: i32, day: i32) -> i32 {
    // The civil calendar, counted from March.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468
}

fn decimal(value: i128, scale: usize) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}.{fraction}")
}

#[tokio::test(flavor = "multi_thread")]
async fn query_1_pricing_summary_report() {
    let session = session();
    let answer = run(
        &session,
        "select
            l_returnflag,
            l_linestatus,
            sum(l_quantity) as sum_qty,
            sum(l_extendedprice) as sum_base_price,
            sum(l_extendedprice*(1-l_discount)) as sum_disc_price,
            sum(l_extendedprice*(1-l_discount)*(1+l_tax)) as sum_charge,
            avg(l_quantity) as avg_qty,
            avg(l_extendedprice) as avg_price,
            avg(l_discount) as avg_disc,
            count(*) as count_order
        from
            samples.tpch.lineitem
        where
            l_shipdate <= date '1998-12-01' - interval '90' day (3)
        group by
            l_returnflag,
            l_linestatus
        order by
            l_returnflag,
            l_linestatus",
    )
    .await;

    #[derive(Default)]
    struct Group {
        count: i128,
        quantity: i128,
        price: i128,
        discount: i128,
        discounted: i128,
        charged: i128,
    }
    let mut groups: BTreeMap<(&str, &str), Group> = BTreeMap::new();
    for item in line_items().filter(|item| days(item.l_shipdate) <= day(1998, 12, 1) - 90) {
        let group = groups.entry((item.l_returnflag, item.l_linestatus)).or_default();
        let (price, discount, tax) = (
            i128::from(item.l_extendedprice.into_inner()),
            i128::from(item.l_discount.into_inner()),
            i128::from(item.l_tax.into_inner()),
        );
        group.count += 1;
        group.quantity += i128::from(item.l_quantity) * 100;
        group.price += price;
        group.discount += discount;
        group.discounted += price * (100 - discount);
        group.charged += price * (100 - discount) * (100 + tax);
    }
    let expected: Vec<Vec<String>> = groups
        .into_iter()
        .map(|((flag, status), group)| {
            // To the nearest, half up: all sums are positive.
            let average = |sum: i128| decimal((sum * 20_000 + group.count) / (2 * group.count), 6);
            vec![
                flag.to_owned(),
                status.to_owned(),
                decimal(group.quantity, 2),
                decimal(group.price, 2),
                decimal(group.discounted, 4),
                decimal(group.charged, 6),
                average(group.quantity),
                average(group.price),
                average(group.discount),
                group.count.to_string(),
            ]
        })
        .collect();
    assert_eq!(expected.len(), 4);
    assert_eq!(answer.rows, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn query_3_shipping_priority() {
    let session = session();
    let answer = run(
        &session,
        "select
            l_orderkey,
            sum(l_extendedprice*(1-l_discount)) as revenue,
            o_orderdate,
            o_shippriority
        from
            samples.tpch.customer,
            samples.tpch.orders,
            samples.tpch.lineitem
        where
            c_mktsegment = 'BUILDING'
            and c_custkey = o_custkey
            and l_orderkey = o_orderkey
            and o_orderdate < date '1995-03-15'
            and l_shipdate > date '1995-03-15'
        group by
            l_orderkey,
            o_orderdate,
            o_shippriority
        order by
            revenue desc,
            o_orderdate
        limit 10",
    )
    .await;

    let builders: Vec<i64> = CustomerGenerator::new(SCALE_FACTOR, 1, 1)
        .iter()
        .filter(|customer| customer.c_mktsegment == "BUILDING")
        .map(|customer| customer.c_custkey)
        .collect();
    let orders: BTreeMap<i64, (i32, String, i32)> = OrderGenerator::new(SCALE_FACTOR, 1, 1)
        .iter()
        .filter(|order| days(order.o_orderdate) < day(1995, 3, 15) && builders.binary_search(&order.o_custkey).is_ok())
        .map(|order| {
            (
                order.o_orderkey,
                (
                    days(order.o_orderdate),
                    order.o_orderdate.to_string(),
                    order.o_shippriority,
                ),
            )
        })
        .collect();
    let mut revenue: BTreeMap<i64, i128> = BTreeMap::new();
    for item in
        line_items().filter(|item| days(item.l_shipdate) > day(1995, 3, 15) && orders.contains_key(&item.l_orderkey))
    {
        let discounted = i128::from(item.l_extendedprice.into_inner()) * i128::from(100 - item.l_discount.into_inner());
        *revenue.entry(item.l_orderkey).or_default() += discounted;
    }
    let mut expected: Vec<(i128, i32, i64)> = revenue
        .into_iter()
        .map(|(key, sum)| (-sum, orders[&key].0, key))
        .collect();
    expected.sort_unstable();
    let expected: Vec<Vec<String>> = expected
        .into_iter()
        .take(10)
        .map(|(sum, _, key)| {
            vec![
                key.to_string(),
                decimal(-sum, 4),
                orders[&key].1.clone(),
                orders[&key].2.to_string(),
            ]
        })
        .collect();
    assert_eq!(expected.len(), 10);
    assert_eq!(answer.rows, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn query_6_forecasting_revenue_change() {
    let session = session();
    let answer = run(
        &session,
        "select
            sum(l_extendedprice*l_discount) as revenue
        from
            samples.tpch.lineitem
        where
            l_shipdate >= date '1994-01-01'
            and l_shipdate < date '1994-01-01' + interval '1' year
            and l_discount between 0.06 - 0.01 and 0.06 + 0.01
            and l_quantity < 24",
    )
    .await;

    let revenue: i128 = line_items()
        .filter(|item| (day(1994, 1, 1)..day(1995, 1, 1)).contains(&days(item.l_shipdate)))
        .filter(|item| (5..=7).contains(&item.l_discount.into_inner()) && item.l_quantity < 24)
        .map(|item| i128::from(item.l_extendedprice.into_inner()) * i128::from(item.l_discount.into_inner()))
        .sum();
    assert!(revenue > 0);
    assert_eq!(answer.rows, vec![vec![decimal(revenue, 4)]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_are_those_of_the_benchmark() {
    let session = session();
    let answer = run(
        &session,
        "SELECT count(*), min(l_comment), max(l_comment) FROM samples.tpch.lineitem",
    )
    .await;
    let comments: Vec<&str> = line_items().map(|item| item.l_comment).collect();
    let expected = [
        comments.len().to_string(),
        (*comments.iter().min().unwrap()).to_owned(),
        (*comments.iter().max().unwrap()).to_owned(),
    ];
    assert_eq!(answer.rows, [expected]);
}
