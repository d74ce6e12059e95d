# Cloud DNS for GKE: a private forwarding zone to an internal load balancer in front of mcsdns, at ${addresses}.
# Cloud DNS asks from 35.199.192.0/19, over UDP and TCP, port 53. Write your VPC network for "default".
gcloud dns managed-zones create ${zone_id} --dns-name=${zone}. --description="multi-cluster services, answered by mcsdns" \
  --visibility=private --networks=default --private-forwarding-targets=${addresses}
gcloud compute firewall-rules create ${zone_id}-from-cloud-dns --network=default --direction=INGRESS --action=ALLOW \
  --rules=udp:53,tcp:53,udp:5353,tcp:5353 --source-ranges=35.199.192.0/19
