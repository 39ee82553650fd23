#include "connectors/postgres/swap.h"

#include "base/error.h"
#include "connectors/postgres/connection.h"
#include "connectors/sql/identifier.h"

namespace dxt::postgres {
namespace {

constexpr std::string_view kPreparing = "Preparing to replace the table";

// Everything that depends on the table or on its row type is an attachment, but for what
// a swap carries over. New kinds of objects are therefore attachments until taught
// otherwise.
constexpr const char* kAttachmentsSql = R"(
WITH me AS (SELECT c.*, n.nspname FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.oid = $1::oid)
SELECT 1, x.what FROM me, LATERAL (
  SELECT CASE WHEN w.oid IS NULL
              THEN pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
              ELSE pg_catalog.pg_describe_object('pg_class'::regclass, w.ev_class, 0)
              END AS what
  FROM pg_catalog.pg_depend d
  LEFT JOIN pg_catalog.pg_rewrite w
    ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid AND w.ev_class <> me.oid
  WHERE ((d.refclassid = 'pg_class'::regclass AND d.refobjid = me.oid)
         OR (d.refclassid = 'pg_type'::regclass AND d.refobjid = me.reltype))
    AND NOT (d.classid = 'pg_type'::regclass AND d.objid = me.reltype)
    AND NOT (d.classid = 'pg_type'::regclass
             AND d.objid = (SELECT typarray FROM pg_catalog.pg_type WHERE oid = me.reltype))
    AND NOT (d.classid = 'pg_attrdef'::regclass
             AND EXISTS (SELECT 1 FROM pg_catalog.pg_attrdef a
                         WHERE a.oid = d.objid AND a.adrelid = me.oid))
    AND NOT (d.classid = 'pg_class'::regclass
             AND EXISTS (SELECT 1 FROM pg_catalog.pg_index i
                         WHERE i.indexrelid = d.objid AND i.indrelid = me.oid))
    AND NOT (d.classid = 'pg_class'::regclass AND d.objid = me.reltoastrelid)
    AND NOT (d.classid = 'pg_constraint'::regclass
             AND EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.oid = d.objid
                         AND (k.conrelid = me.oid AND k.contype IN ('p', 'u', 'c')
                              OR k.confrelid = me.oid AND k.conrelid <> me.oid)))
  UNION SELECT 'foreign key ' || quote_ident(k.conname)
  FROM pg_catalog.pg_constraint k WHERE k.conrelid = me.oid AND k.contype = 'f'
  UNION SELECT 'exclusion constraint ' || quote_ident(k.conname)
  FROM pg_catalog.pg_constraint k WHERE k.conrelid = me.oid AND k.contype = 'x'
  UNION SELECT 'trigger ' || quote_ident(t.tgname)
  FROM pg_catalog.pg_trigger t WHERE t.tgrelid = me.oid AND NOT t.tgisinternal
  UNION SELECT 'identity of column ' || quote_ident(a.attname)
  FROM pg_catalog.pg_attribute a WHERE a.attrelid = me.oid AND a.attidentity <> ''
  UNION SELECT 'settings of column ' || quote_ident(a.attname)
  FROM pg_catalog.pg_attribute a WHERE a.attrelid = me.oid AND a.attnum > 0
    AND NOT a.attisdropped AND (a.attfdwoptions IS NOT NULL
      OR coalesce(a.attstattarget, -1) <> -1
      OR EXISTS (SELECT 1 FROM pg_catalog.unnest(a.attoptions) o WHERE o ~ '^n_distinct'))
  UNION SELECT 'statistics ' || quote_ident(s.stxname)
  FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid = me.oid
  UNION SELECT 'publication ' || quote_ident(p.pubname)
  FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
  WHERE r.prrelid = me.oid
  UNION SELECT 'security label' FROM pg_catalog.pg_seclabel l
  WHERE l.objoid = me.oid AND l.classoid = 'pg_class'::regclass
  UNION SELECT 'inheritance' FROM pg_catalog.pg_inherits i
  WHERE i.inhrelid = me.oid OR i.inhparent = me.oid
  UNION SELECT 'clustered index' FROM pg_catalog.pg_index i
  WHERE i.indrelid = me.oid AND i.indisclustered
  UNION SELECT 'invalid index' FROM pg_catalog.pg_index i
  WHERE i.indrelid = me.oid AND NOT i.indisvalid
  UNION SELECT 'tablespace' WHERE me.reltablespace <> 0
  UNION SELECT 'partitions' WHERE me.relkind = 'p' OR me.relispartition
  UNION SELECT 'foreign server' WHERE me.relkind = 'f'
  UNION SELECT 'row security' WHERE me.relrowsecurity OR me.relforcerowsecurity
  UNION SELECT 'replica identity' WHERE me.relreplident <> 'd'
  UNION SELECT 'its type' WHERE me.reloftype <> 0
  UNION SELECT 'rules' WHERE me.relhasrules
  UNION SELECT 'owner ' || quote_ident(pg_get_userbyid(me.relowner))
  WHERE NOT pg_catalog.pg_has_role(me.relowner, 'USAGE')
  UNION SELECT 'no right to create tables in schema ' || quote_ident(me.nspname)
  WHERE NOT pg_catalog.has_schema_privilege(me.relnamespace, 'CREATE')
  UNION SELECT 'temporary table' WHERE me.relpersistence = 't') x
UNION ALL
SELECT 2, 'foreign key ' || quote_ident(k.conname) || ' of ' || k.conrelid::regclass::text
FROM me JOIN pg_catalog.pg_constraint k
  ON k.confrelid = me.oid AND k.contype = 'f' AND k.conrelid <> me.oid AND k.conparentid = 0
ORDER BY 1, 2)";

constexpr const char* kFingerprintSql = R"(
SELECT pg_catalog.md5(pg_catalog.concat_ws('|',
  c.oid, c.relowner, c.relacl::text, c.reloptions::text, c.relkind, c.relpersistence,
  (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(',', a.attnum, a.attname, a.atttypid,
            a.atttypmod, a.attnotnull, a.attisdropped, a.attacl::text,
            pg_catalog.pg_get_expr(d.adbin, d.adrelid)), ';' ORDER BY a.attnum)
   FROM pg_catalog.pg_attribute a
   LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE a.attrelid = c.oid AND a.attnum > 0),
  (SELECT pg_catalog.string_agg(k.conname || pg_catalog.pg_get_constraintdef(k.oid), ';'
                                ORDER BY k.conname)
   FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid OR k.confrelid = c.oid),
  (SELECT pg_catalog.string_agg(pg_catalog.pg_get_indexdef(i.indexrelid), ';'
                                ORDER BY i.indexrelid)
   FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid),
  (SELECT pg_catalog.count(*) FROM pg_catalog.pg_depend d
   WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid),
  (SELECT pg_catalog.count(*) FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid)))
FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1))";

// Statements that give $2 what $1 has: (order, before the rename, after the rename).
constexpr const char* kCarryOverSql = R"(
WITH old AS (SELECT c.*, n.nspname FROM pg_catalog.pg_class c
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE c.oid = pg_catalog.to_regclass($1)),
idx AS (SELECT i.*, c.relname, c.reltablespace AS space, k.oid AS con, k.contype,
               pg_catalog.row_number() OVER (ORDER BY i.indexrelid) AS n
        FROM old JOIN pg_catalog.pg_index i ON i.indrelid = old.oid
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        LEFT JOIN pg_catalog.pg_constraint k
          ON k.conindid = i.indexrelid AND k.conrelid = old.oid AND k.contype IN ('p', 'u')),
made AS (SELECT idx.*, quote_ident($3 || n) AS temporary,
                quote_ident(old.nspname) AS space_name, quote_ident(old.relname) AS table_name
         FROM idx, old)
SELECT 1 AS step, CASE WHEN con IS NOT NULL
    THEN 'ALTER TABLE ' || $2 || ' ADD CONSTRAINT ' || temporary || ' '
         || pg_catalog.pg_get_constraintdef(con)
    ELSE pg_catalog.replace(pg_catalog.pg_get_indexdef(indexrelid),
           'INDEX ' || quote_ident(relname) || ' ON ' || space_name || '.' || table_name || ' ',
           'INDEX ' || temporary || ' ON ' || $2 || ' ') END AS before,
  'ALTER INDEX ' || space_name || '.' || temporary || ' RENAME TO '
    || quote_ident(relname) AS after
FROM made
UNION ALL
SELECT 2, NULL, 'COMMENT ON INDEX ' || space_name || '.' || quote_ident(relname) || ' IS '
    || quote_literal(d.description)
FROM made JOIN pg_catalog.pg_description d
  ON d.objoid = made.indexrelid AND d.classoid = 'pg_class'::regclass
UNION ALL
SELECT 2, NULL, 'COMMENT ON CONSTRAINT ' || quote_ident(k.conname) || ' ON ' || $1 || ' IS '
    || quote_literal(d.description)
FROM old JOIN pg_catalog.pg_constraint k ON k.conrelid = old.oid AND k.contype IN ('p', 'u')
JOIN pg_catalog.pg_description d ON d.objoid = k.oid AND d.classoid = 'pg_constraint'::regclass
UNION ALL
SELECT 3, 'COMMENT ON TABLE ' || $2 || ' IS ' || quote_literal(d.description), NULL
FROM old JOIN pg_catalog.pg_description d
  ON d.objoid = old.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
UNION ALL
SELECT 4, 'ALTER TABLE ' || $2 || ' SET (' || pg_catalog.array_to_string(reloptions, ', ')
    || ')', NULL FROM old WHERE reloptions IS NOT NULL
UNION ALL
SELECT 5, 'ALTER TABLE ' || $2 || ' SET UNLOGGED', NULL FROM old WHERE relpersistence = 'u'
UNION ALL
SELECT 6, 'REVOKE ALL ON ' || $2 || ' FROM '
    || CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
  NULL
FROM pg_catalog.pg_class fresh, pg_catalog.aclexplode(fresh.relacl) g
WHERE fresh.oid = pg_catalog.to_regclass($2) AND g.grantee <> fresh.relowner
UNION ALL
SELECT 7, 'ALTER TABLE ' || $2 || ' OWNER TO ' || quote_ident(pg_get_userbyid(relowner)), NULL
FROM old WHERE relowner <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)
UNION ALL
SELECT 8, 'GRANT ' || g.privilege_type || ' ON ' || $2 || ' TO '
    || CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END
    || CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, NULL
FROM old, pg_catalog.aclexplode(old.relacl) g
UNION ALL
SELECT 9, 'GRANT ' || g.privilege_type || ' (' || quote_ident(a.attname) || ') ON ' || $2
    || ' TO '
    || CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END
    || CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, NULL
FROM old JOIN pg_catalog.pg_attribute a ON a.attrelid = old.oid,
  pg_catalog.aclexplode(a.attacl) g
ORDER BY 1)";

}  // namespace

arrow::Result<Attachments> FindAttachments(Connection& connection, int64_t oid,
                                           std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows,
      connection.Query(kAttachmentsSql, {std::to_string(oid)}, kPreparing, stop));
  Attachments attachments;
  for (int row = 0; row < rows.rows(); ++row) {
    auto& list = rows.Int(row, 0) == 1 ? attachments.others : attachments.foreign_keys;
    list.push_back(rows.Text(row, 1));
  }
  return attachments;
}

arrow::Result<std::string> TableFingerprint(Connection& connection,
                                            const std::string& table,
                                            std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto rows,
                        connection.Query(kFingerprintSql, {table}, kPreparing, stop));
  return rows.rows() == 0 ? std::string() : rows.Text(0, 0);
}

arrow::Status MakeReplacement(Connection& connection, const std::string& table,
                              const std::string& fresh, std::stop_token stop) {
  return connection
      .Run("CREATE TABLE " + fresh + " (LIKE " + table +
               " INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS "
               "INCLUDING COMMENTS INCLUDING STORAGE" +
               (connection.server_version() >= 140000 ? " INCLUDING COMPRESSION)" : ")"),
           kPreparing, stop)
      .status();
}

arrow::Result<std::vector<std::string>> CarryOver(Connection& connection,
                                                  const std::string& table,
                                                  const std::string& fresh,
                                                  const std::string& load_id,
                                                  std::stop_token stop) {
  ARROW_RETURN_NOT_OK(
      connection.Run("SET LOCAL search_path = ''", kPreparing, stop).status());
  ARROW_ASSIGN_OR_RAISE(
      auto rows,
      connection.Query(kCarryOverSql, {table, fresh, "_dxt_i_" + load_id + "_"},
                       kPreparing, stop));
  std::vector<std::string> after;
  for (int row = 0; row < rows.rows(); ++row) {
    if (!rows.IsNull(row, 1)) {
      ARROW_RETURN_NOT_OK(connection.Run(rows.Text(row, 1), kPreparing, stop).status());
    }
    if (!rows.IsNull(row, 2)) after.push_back(rows.Text(row, 2));
  }
  return after;
}

}  // namespace dxt::postgres
