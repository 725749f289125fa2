// cubes/crm_customer.js
cube("crm_customer", {
"sql": `SELECT \`id\`, \`tenant_id\`, \`name\`, \`kind\`, \`parent_id\`, \`tags\` FROM \`business\`.\`crm_customer\` FINAL WHERE \`_deleted\` = 0`,
"title": "Customers",
"description": "Who buys from us.",
"meta": {"topic":"business.crm.customer","app":"crm","entity":"customer","title_dimension":"name","ai_context":"Who buys from us."},
"joins": {
"crm_customer_as_parent": {
"relationship": "many_to_one",
"sql": `${CUBE}.\`parent_id\` = ${crm_customer_as_parent}.\`id\``
}
},
"dimensions": {
"id": {
"type": "number",
"title": "Id",
"primary_key": true,
"public": true,
"sql": `${CUBE}.\`id\``
},
"tenant_id": {
"type": "string",
"title": "Tenant id",
"sql": `${CUBE}.\`tenant_id\``
},
"name": {
"type": "string",
"title": "Name",
"sql": `${CUBE}.\`name\``
},
"kind": {
"type": "string",
"title": "Kind",
"meta": {"options":[{"value":"vip","label":"Very important"},{"value":"plain","label":"Plain"}]},
"sql": `${CUBE}.\`kind\``
},
"parent_id": {
"type": "number",
"title": "Group",
"sql": `${CUBE}.\`parent_id\``
},
"tags": {
"type": "string",
"title": "Tags",
"sql": `arrayStringConcat(arrayMap(x -> ifNull(toString(x), ''), ${CUBE}.\`tags\`), ', ')`
}
},
"measures": {
"count": {
"type": "count",
"title": "Customers",
"description": "Number of customers.",
"meta": {"unit":"customers"},
"drill_members": [CUBE.id, CUBE.name]
}
}
});

// cubes/crm_order.js
cube("crm_order", {
"sql": `SELECT \`id\`, \`tenant_id\`, \`status\`, \`customer_id\`, \`payer_id\`, \`total\`, \`currency\`, \`tax_percent\`, \`fiscal_year\`, \`paid\`, \`placed_at\`, \`due_on\` FROM \`business\`.\`crm_order\` FINAL WHERE \`_deleted\` = 0`,
"title": "Orders",
"meta": {"topic":"business.crm.order","app":"crm","entity":"order"},
"joins": {
"crm_customer": {
"relationship": "many_to_one",
"sql": `${CUBE}.\`customer_id\` = ${crm_customer}.\`id\``
},
"crm_customer_as_payer": {
"relationship": "many_to_one",
"sql": `${CUBE}.\`payer_id\` = ${crm_customer_as_payer}.\`id\``
}
},
"dimensions": {
"id": {
"type": "number",
"title": "Id",
"primary_key": true,
"public": true,
"sql": `${CUBE}.\`id\``
},
"tenant_id": {
"type": "string",
"title": "Tenant id",
"sql": `${CUBE}.\`tenant_id\``
},
"status": {
"type": "string",
"title": "Status",
"meta": {"states":["open","paid"]},
"sql": `${CUBE}.\`status\``
},
"customer_id": {
"type": "number",
"title": "Customer",
"sql": `${CUBE}.\`customer_id\``
},
"payer_id": {
"type": "number",
"title": "Payer",
"sql": `${CUBE}.\`payer_id\``
},
"total": {
"type": "number",
"title": "Total",
"description": "With tax.",
"format": "currency",
"meta": {"unit_dimension":"currency","ai_context":"With tax."},
"sql": `${CUBE}.\`total\``
},
"currency": {
"type": "string",
"title": "Currency",
"sql": `${CUBE}.\`currency\``
},
"tax_percent": {
"type": "number",
"title": "Tax",
"meta": {"unit":"%"},
"sql": `${CUBE}.\`tax_percent\``
},
"fiscal_year": {
"type": "number",
"title": "Fiscal year",
"sql": `${CUBE}.\`fiscal_year\``
},
"paid": {
"type": "boolean",
"title": "Paid",
"sql": `${CUBE}.\`paid\``
},
"placed_at": {
"type": "time",
"title": "Placed at",
"description": "When the customer ordered.",
"meta": {"ai_context":"When the customer ordered."},
"sql": `${CUBE}.\`placed_at\``
},
"due_on": {
"type": "time",
"title": "Due",
"meta": {"granularity":"day"},
"sql": `${CUBE}.\`due_on\``
}
},
"measures": {
"count": {
"type": "count",
"title": "Orders",
"description": "Number of orders.",
"meta": {"unit":"orders"},
"drill_members": [CUBE.id, CUBE.status, CUBE.placed_at, CUBE.due_on, CUBE.total]
},
"total_sum": {
"type": "sum",
"title": "Total, total",
"description": "Sum of total. With tax.",
"format": "currency",
"meta": {"unit_dimension":"currency"},
"sql": `${CUBE}.\`total\``
},
"total_avg": {
"type": "avg",
"title": "Total, average",
"description": "Average of total. With tax.",
"format": "currency",
"meta": {"unit_dimension":"currency"},
"sql": `${CUBE}.\`total\``
},
"tax_percent_avg": {
"type": "avg",
"title": "Tax, average",
"description": "Average of tax.",
"meta": {"unit":"%"},
"sql": `${CUBE}.\`tax_percent\``
}
}
});

// cubes/crm_order_line.js
cube("crm_order_line", {
"sql": `SELECT \`id\`, \`order_id\`, \`position\`, \`pieces\` FROM \`business\`.\`crm_order_line\` FINAL WHERE \`_deleted\` = 0`,
"title": "Order lines",
"meta": {"topic":"business.crm.order_line","app":"crm","entity":"order_line"},
"joins": {
"crm_order": {
"relationship": "many_to_one",
"sql": `${CUBE}.\`order_id\` = ${crm_order}.\`id\``
}
},
"dimensions": {
"id": {
"type": "number",
"title": "Id",
"primary_key": true,
"public": true,
"sql": `${CUBE}.\`id\``
},
"order_id": {
"type": "number",
"title": "Order id",
"sql": `${CUBE}.\`order_id\``
},
"position": {
"type": "number",
"title": "Position",
"sql": `${CUBE}.\`position\``
},
"pieces": {
"type": "number",
"title": "Pieces",
"sql": `${CUBE}.\`pieces\``
}
},
"measures": {
"count": {
"type": "count",
"title": "Order lines",
"description": "Number of order lines.",
"meta": {"unit":"order lines"},
"drill_members": [CUBE.id]
},
"pieces_sum": {
"type": "sum",
"title": "Pieces, total",
"description": "Sum of pieces.",
"sql": `${CUBE}.\`pieces\``
},
"pieces_avg": {
"type": "avg",
"title": "Pieces, average",
"description": "Average of pieces.",
"sql": `${CUBE}.\`pieces\``
}
}
});

// cubes/legacy_Weird_Table.js
cube("legacy_Weird_Table", {
"sql": `SELECT \`a-key\`, \`b\`, \`count\`, \`blob\`, \`doc\`, \`huge\`, \`order\`, \`owner\` FROM \`legacy\`.\`Weird Table\` FINAL WHERE \`_deleted\` = 0`,
"title": "Weird table",
"meta": {"topic":"legacy.public.Weird Table"},
"joins": {
"legacy_owners": {
"relationship": "many_to_one",
"sql": `${CUBE}.\`owner\` = ${legacy_owners}.\`id\` AND ${CUBE}.\`b\` = ${legacy_owners}.\`region\``
}
},
"dimensions": {
"a_key": {
"type": "string",
"title": "A-key",
"primary_key": true,
"public": true,
"sql": `toString(${CUBE}.\`a-key\`)`
},
"b": {
"type": "number",
"title": "B",
"primary_key": true,
"public": true,
"sql": `${CUBE}.\`b\``
},
"count_2": {
"type": "number",
"title": "Count",
"sql": `${CUBE}.\`count\``
},
"blob": {
"type": "string",
"title": "Blob",
"sql": `hex(${CUBE}.\`blob\`)`
},
"doc": {
"type": "string",
"title": "Doc",
"sql": `${CUBE}.\`doc\``
},
"huge": {
"type": "string",
"title": "Huge",
"sql": `${CUBE}.\`huge\``
},
"order": {
"type": "string",
"title": "Order",
"sql": `${CUBE}.\`order\``
},
"owner": {
"type": "number",
"title": "Owner",
"sql": `${CUBE}.\`owner\``
}
},
"measures": {
"count": {
"type": "count",
"title": "Weird table",
"description": "Number of weird table.",
"meta": {"unit":"weird table"},
"drill_members": [CUBE.a_key, CUBE.b]
},
"count_sum": {
"type": "sum",
"title": "Count, total",
"description": "Sum of count.",
"sql": `${CUBE}.\`count\``
},
"count_avg": {
"type": "avg",
"title": "Count, average",
"description": "Average of count.",
"sql": `${CUBE}.\`count\``
}
}
});

// cubes/legacy_log.js
cube("legacy_log", {
"sql": `SELECT \`line\`, \`amount\` FROM \`legacy\`.\`log\` FINAL WHERE \`_deleted\` = 0`,
"title": "Log",
"meta": {"topic":"legacy.public.log"},
"dimensions": {
"line": {
"type": "string",
"title": "Line",
"sql": `${CUBE}.\`line\``
},
"amount": {
"type": "number",
"title": "Amount",
"sql": `${CUBE}.\`amount\``
}
},
"measures": {
"count": {
"type": "count",
"title": "Log",
"description": "Number of log.",
"meta": {"unit":"log"}
},
"amount_sum": {
"type": "sum",
"title": "Amount, total",
"description": "Sum of amount.",
"sql": `${CUBE}.\`amount\``
},
"amount_avg": {
"type": "avg",
"title": "Amount, average",
"description": "Average of amount.",
"sql": `${CUBE}.\`amount\``
}
}
});

// cubes/legacy_owners.js
cube("legacy_owners", {
"sql": `SELECT \`id\`, \`region\`, \`name\` FROM \`legacy\`.\`owners\` FINAL WHERE \`_deleted\` = 0`,
"title": "Owners",
"meta": {"topic":"legacy.public.owners"},
"dimensions": {
"id": {
"type": "number",
"title": "Id",
"primary_key": true,
"public": true,
"sql": `${CUBE}.\`id\``
},
"region": {
"type": "number",
"title": "Region",
"primary_key": true,
"public": true,
"sql": `${CUBE}.\`region\``
},
"name": {
"type": "string",
"title": "Name",
"sql": `${CUBE}.\`name\``
}
},
"measures": {
"count": {
"type": "count",
"title": "Owners",
"description": "Number of owners.",
"meta": {"unit":"owners"},
"drill_members": [CUBE.id, CUBE.region]
}
}
});

// cubes/crm_customer_as_parent.js
cube("crm_customer_as_parent", {
"sql": `SELECT \`id\`, \`tenant_id\`, \`name\`, \`kind\`, \`parent_id\`, \`tags\` FROM \`business\`.\`crm_customer\` FINAL WHERE \`_deleted\` = 0`,
"title": "Customers (parent)",
"description": "Who buys from us.",
"meta": {"topic":"business.crm.customer","app":"crm","entity":"customer","title_dimension":"name","ai_context":"Who buys from us."},
"dimensions": {
"id": {
"type": "number",
"title": "Id",
"primary_key": true,
"public": true,
"sql": `${CUBE}.\`id\``
},
"tenant_id": {
"type": "string",
"title": "Tenant id",
"sql": `${CUBE}.\`tenant_id\``
},
"name": {
"type": "string",
"title": "Name",
"sql": `${CUBE}.\`name\``
},
"kind": {
"type": "string",
"title": "Kind",
"meta": {"options":[{"value":"vip","label":"Very important"},{"value":"plain","label":"Plain"}]},
"sql": `${CUBE}.\`kind\``
},
"parent_id": {
"type": "number",
"title": "Group",
"sql": `${CUBE}.\`parent_id\``
},
"tags": {
"type": "string",
"title": "Tags",
"sql": `arrayStringConcat(arrayMap(x -> ifNull(toString(x), ''), ${CUBE}.\`tags\`), ', ')`
}
},
"measures": {
"count": {
"type": "count",
"title": "Customers",
"description": "Number of customers.",
"meta": {"unit":"customers"},
"drill_members": [CUBE.id, CUBE.name]
}
}
});

// cubes/crm_customer_as_payer.js
cube("crm_customer_as_payer", {
"sql": `SELECT \`id\`, \`tenant_id\`, \`name\`, \`kind\`, \`parent_id\`, \`tags\` FROM \`business\`.\`crm_customer\` FINAL WHERE \`_deleted\` = 0`,
"title": "Customers (payer)",
"description": "Who buys from us.",
"meta": {"topic":"business.crm.customer","app":"crm","entity":"customer","title_dimension":"name","ai_context":"Who buys from us."},
"dimensions": {
"id": {
"type": "number",
"title": "Id",
"primary_key": true,
"public": true,
"sql": `${CUBE}.\`id\``
},
"tenant_id": {
"type": "string",
"title": "Tenant id",
"sql": `${CUBE}.\`tenant_id\``
},
"name": {
"type": "string",
"title": "Name",
"sql": `${CUBE}.\`name\``
},
"kind": {
"type": "string",
"title": "Kind",
"meta": {"options":[{"value":"vip","label":"Very important"},{"value":"plain","label":"Plain"}]},
"sql": `${CUBE}.\`kind\``
},
"parent_id": {
"type": "number",
"title": "Group",
"sql": `${CUBE}.\`parent_id\``
},
"tags": {
"type": "string",
"title": "Tags",
"sql": `arrayStringConcat(arrayMap(x -> ifNull(toString(x), ''), ${CUBE}.\`tags\`), ', ')`
}
},
"measures": {
"count": {
"type": "count",
"title": "Customers",
"description": "Number of customers.",
"meta": {"unit":"customers"},
"drill_members": [CUBE.id, CUBE.name]
}
}
});

// cubes/sales.js
cube("sales", {
"sql": `SELECT \`id\`, \`tenant_id\`, \`status\`, \`customer_id\`, \`payer_id\`, \`total\`, \`currency\`, \`tax_percent\`, \`fiscal_year\`, \`paid\`, \`placed_at\`, \`due_on\` FROM \`business\`.\`crm_order\` FINAL WHERE \`_deleted\` = 0`,
"title": "Orders",
"meta": {"topic":"business.crm.order","app":"crm","entity":"order","extends":"crm_order"},
"joins": {
"crm_customer": {
"relationship": "many_to_one",
"sql": `${CUBE}.\`customer_id\` = ${crm_customer}.\`id\``
},
"crm_customer_as_payer": {
"relationship": "many_to_one",
"sql": `${CUBE}.\`payer_id\` = ${crm_customer_as_payer}.\`id\``
},
"buyers": {
"relationship": "many_to_one",
"sql": `${CUBE}.customer_id = ${buyers}.id`
}
},
"dimensions": {
"id": {
"type": "number",
"title": "Id",
"primary_key": true,
"public": true,
"sql": `${CUBE}.\`id\``
},
"tenant_id": {
"type": "string",
"title": "Tenant id",
"sql": `${CUBE}.\`tenant_id\``
},
"status": {
"type": "string",
"title": "Status",
"meta": {"states":["open","paid"]},
"sql": `${CUBE}.\`status\``
},
"customer_id": {
"type": "number",
"title": "Customer",
"sql": `${CUBE}.\`customer_id\``
},
"payer_id": {
"type": "number",
"title": "Payer",
"sql": `${CUBE}.\`payer_id\``
},
"total": {
"type": "number",
"title": "Total",
"description": "With tax.",
"format": "currency",
"meta": {"unit_dimension":"currency","ai_context":"With tax."},
"sql": `${CUBE}.\`total\``
},
"currency": {
"type": "string",
"title": "Currency",
"sql": `${CUBE}.\`currency\``
},
"tax_percent": {
"type": "number",
"title": "Tax",
"meta": {"unit":"%"},
"sql": `${CUBE}.\`tax_percent\``
},
"fiscal_year": {
"type": "number",
"title": "Fiscal year",
"sql": `${CUBE}.\`fiscal_year\``
},
"paid": {
"type": "boolean",
"title": "Paid",
"sql": `${CUBE}.\`paid\``
},
"placed_at": {
"type": "time",
"title": "Placed at",
"description": "When the customer ordered.",
"meta": {"ai_context":"When the customer ordered."},
"sql": `${CUBE}.\`placed_at\``
},
"due_on": {
"type": "time",
"title": "Due",
"meta": {"granularity":"day"},
"sql": `${CUBE}.\`due_on\``
}
},
"measures": {
"count": {
"type": "count",
"title": "Orders",
"description": "Number of orders.",
"meta": {"unit":"orders"},
"drill_members": [CUBE.id, CUBE.status, CUBE.placed_at, CUBE.due_on, CUBE.total]
},
"total_sum": {
"type": "sum",
"title": "Total, total",
"description": "Sum of total. With tax.",
"format": "currency",
"meta": {"unit_dimension":"currency"},
"sql": `${CUBE}.\`total\``
},
"total_avg": {
"type": "avg",
"title": "Total, average",
"description": "Average of total. With tax.",
"format": "currency",
"meta": {"unit_dimension":"currency"},
"sql": `${CUBE}.\`total\``
},
"tax_percent_avg": {
"type": "avg",
"title": "Tax, average",
"description": "Average of tax.",
"meta": {"unit":"%"},
"sql": `${CUBE}.\`tax_percent\``
},
"revenue": {
"type": "sum",
"sql": `${CUBE}.total`,
"filters": [{
"sql": `${CUBE}.status = 'paid'`
}]
},
"average": {
"type": "number",
"sql": `${CUBE.revenue} / nullIf(${CUBE.count}, 0)`
},
"vip_revenue": {
"type": "sum",
"sql": `${CUBE}.total`,
"filters": [{
"sql": `${buyers.kind} = 'vip'`
}]
}
}
});

// cubes/buyers.js
cube("buyers", {
"sql": `SELECT \`id\`, \`tenant_id\`, \`name\`, \`kind\`, \`parent_id\`, \`tags\` FROM \`business\`.\`crm_customer\` FINAL WHERE \`_deleted\` = 0`,
"title": "Customers",
"description": "Who buys from us.",
"meta": {"topic":"business.crm.customer","app":"crm","entity":"customer","title_dimension":"name","ai_context":"Who buys from us.","extends":"crm_customer"},
"joins": {
"crm_customer_as_parent": {
"relationship": "many_to_one",
"sql": `${CUBE}.\`parent_id\` = ${crm_customer_as_parent}.\`id\``
}
},
"dimensions": {
"id": {
"type": "number",
"title": "Id",
"primary_key": true,
"public": true,
"sql": `${CUBE}.\`id\``
},
"tenant_id": {
"type": "string",
"title": "Tenant id",
"sql": `${CUBE}.\`tenant_id\``
},
"name": {
"type": "string",
"title": "Name",
"sql": `${CUBE}.\`name\``
},
"kind": {
"type": "string",
"title": "Kind",
"meta": {"options":[{"value":"vip","label":"Very important"},{"value":"plain","label":"Plain"}]},
"sql": `${CUBE}.\`kind\``
},
"parent_id": {
"type": "number",
"title": "Group",
"sql": `${CUBE}.\`parent_id\``
},
"tags": {
"type": "string",
"title": "Tags",
"sql": `arrayStringConcat(arrayMap(x -> ifNull(toString(x), ''), ${CUBE}.\`tags\`), ', ')`
}
},
"measures": {
"count": {
"type": "count",
"title": "Customers",
"description": "Number of customers.",
"meta": {"unit":"customers"},
"drill_members": [CUBE.id, CUBE.name]
}
}
});

// cubes/first_orders.js
cube("first_orders", {
"sql": `SELECT customer_id, min(placed_at) AS first_at FROM (SELECT \`customer_id\`, \`placed_at\` FROM \`business\`.\`crm_order\` FINAL WHERE \`_deleted\` = 0) GROUP BY customer_id`,
"dimensions": {
"customer_id": {
"type": "number",
"primary_key": true,
"sql": `${CUBE}.customer_id`
},
"first_at": {
"type": "time",
"sql": `${CUBE}.first_at`
}
},
"measures": {
"customers": {
"type": "count"
}
}
});

// views/revenue_by_customer.js
view("revenue_by_customer", {
"cubes": [{
"join_path": sales,
"includes": ["revenue","average","vip_revenue","placed_at"]
}, {
"join_path": sales.buyers,
"prefix": true,
"includes": ["name","kind"]
}]
});
